"""One temperature of sequential Monte Carlo."""

import keras
import numpy as np
import pytest

import kprob
from kprob.samplers.kernels.tempering import next_temperature, resample


def test_the_next_temperature_leaves_the_effective_sample_size_that_is_wanted():
    likelihood = np.random.default_rng(1).normal(0.0, 20.0, 1000).astype("float32")
    found = float(next_temperature(keras.ops.convert_to_tensor(likelihood), keras.ops.zeros(()), 0.5))
    weights = np.exp(found * (likelihood - likelihood.max()))
    assert weights.sum() ** 2 / (weights**2).sum() == pytest.approx(500, rel=0.01)
    assert 0.0 < found < 1.0
    easy = keras.ops.convert_to_tensor(0.001 * likelihood)
    assert float(next_temperature(easy, keras.ops.zeros(()), 0.5)) == 1.0


def test_systematic_resampling_keeps_each_share_to_within_one():
    shares = np.random.default_rng(2).dirichlet(np.ones(50)).astype("float32")
    chosen = resample(keras.ops.convert_to_tensor(shares), kprob.backend.random.seed(3))
    counts = np.bincount(keras.ops.convert_to_numpy(chosen), minlength=50)
    assert np.abs(counts - 50 * shares).max() < 1.0
