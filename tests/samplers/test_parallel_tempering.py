"""Parallel tempering: modes far apart get their shares."""

import numpy as np
import pytest

import kprob
from kprob import tfd


@kprob.probmodel
def two_modes():
    modes = tfd.Normal(np.array([-8.0, 8.0], "float32"), 0.5)
    kprob.sample("x", tfd.MixtureSameFamily(tfd.Categorical(probs=[0.3, 0.7]), modes))


def test_both_modes_get_their_share():
    sampler = kprob.samplers.ParallelTempering(300, 4000, 2, num_replicas=6, lowest_power=0.01, block_size=1000)
    model = two_modes().compile(sampler)
    model.fit({}, verbose=0)
    draws = model.draws.values["x"]
    assert np.mean(draws > 0) == pytest.approx(0.7, abs=0.1)
    assert draws[draws > 0].mean() == pytest.approx(8.0, abs=0.1)
    assert draws[draws > 0].std() == pytest.approx(0.5, abs=0.06)
    assert np.abs(np.diff(np.sign(draws), axis=1)).sum(axis=1).min() > 40  # every chain goes to and fro
