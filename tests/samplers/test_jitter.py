"""HMC's number of steps: those of a period bring a trajectory back to where it began."""

import numpy as np
import pytest

import kprob
from kprob import tfd
from kprob.errors import CompileError


@kprob.probmodel
def standard():
    kprob.sample("x", tfd.Independent(tfd.Normal(np.zeros(3, "float32"), 1.0), 1))


STEPS = 12
# The leapfrog's rotation by a step of 2 sin(a / 2) is a: this one goes once around in STEPS steps.
PERIOD = 2.0 * np.sin(np.pi / STEPS)


def fitted(jitter):
    sampler = kprob.samplers.HMC(
        0, 400, 1, num_leapfrog_steps=STEPS, jitter=jitter, step_size=float(PERIOD), block_size=400
    )
    model = standard().compile(sampler)
    model.fit({}, verbose=0, check=False)
    return model.draws


def test_without_jitter_the_chain_stands_still_and_with_it_it_moves():
    still, moves = fitted(0.0), fitted(0.5)
    assert np.ptp(still.positions, axis=1).max() < 0.1
    assert set(still.statistics["num_steps"].ravel()) == {STEPS}
    assert np.abs(moves.positions.std(axis=(0, 1)) - 1.0).max() < 0.2
    taken = moves.statistics["num_steps"].ravel()
    assert set(taken) == set(range(6, 19)) and abs(taken.mean() - STEPS) < 1.0


def test_arguments():
    with pytest.raises(CompileError, match="`jitter` must be a number from 0 to 1"):
        kprob.samplers.HMC(jitter=2.0)
    assert kprob.samplers.HMC.from_config(kprob.samplers.HMC(jitter=0.25).get_config()).jitter == 0.25
