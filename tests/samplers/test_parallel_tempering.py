"""Parallel tempering: modes far apart get their shares."""

import keras
import numpy as np
import pytest

import kprob
from kprob import tfd
from kprob.samplers.parallel_tempering import swapped


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


def test_swaps_follow_the_ratio():
    betas = keras.ops.convert_to_tensor(np.array([1.0, 0.5, 0.25], "float32"))
    better_below = keras.ops.convert_to_tensor(np.array([-10.0, 0.0, 5.0], "float32"))
    even = swapped(better_below, betas, keras.ops.convert_to_tensor(np.int32(0)), kprob.backend.random.seed(1))
    odd = swapped(better_below, betas, keras.ops.convert_to_tensor(np.int32(1)), kprob.backend.random.seed(1))
    assert keras.ops.convert_to_numpy(even).tolist() == [1, 0, 2]
    assert keras.ops.convert_to_numpy(odd).tolist() == [0, 2, 1]
    hopeless = keras.ops.convert_to_tensor(np.array([0.0, -1000.0, -2000.0], "float32"))
    stay = swapped(hopeless, betas, keras.ops.convert_to_tensor(np.int32(0)), kprob.backend.random.seed(1))
    assert keras.ops.convert_to_numpy(stay).tolist() == [0, 1, 2]
