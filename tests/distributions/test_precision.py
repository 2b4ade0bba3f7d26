"""Distributions once more with numbers of 64 bits: every digit of their parameters, whatever they are wrapped in."""

import keras
import numpy as np
import pytest
from scipy import stats

import kprob
from kprob import tfb, tfd
from kprob.backend import precision, tfp
from kprob.distributions.precision import to_float64

X, KERNELS = 1.234567890123, tfp.math.psd_kernels

# Made in float32, and their log-density at X by SciPy in float64.
CASES = {
    "plain": (lambda: tfd.Normal(0.1, 0.3), stats.norm.logpdf(X, 0.1, 0.3)),
    "whole numbers": (lambda: tfd.Normal(0, 1), stats.norm.logpdf(X)),
    "lists": (lambda: tfd.Independent(tfd.Normal([0.1], [0.3]), 1), stats.norm.logpdf(X, 0.1, 0.3)),
    "in plates": (lambda: tfd.BatchBroadcast(tfd.Gamma(2, 0.7), [1]), stats.gamma.logpdf(X, 2, scale=1 / 0.7)),
    "mixture": (
        lambda: tfd.MixtureSameFamily(tfd.Categorical(probs=[0.1, 0.9]), tfd.Normal([0.0, 0.1], [1.0, 0.3])),
        np.log(0.1 * stats.norm.pdf(X) + 0.9 * stats.norm.pdf(X, 0.1, 0.3)),
    ),
    "bijectors": (
        lambda: tfd.TransformedDistribution(tfd.Normal(0.0, 1.0), tfb.Chain([tfb.Shift(0.1), tfb.Scale(0.3)])),
        stats.norm.logpdf(X, 0.1, 0.3),
    ),
    "matrix": (
        lambda: tfd.MultivariateNormalTriL([0.1], [[0.3]]),
        stats.norm.logpdf(X, 0.1, 0.3),
    ),
    "kernel": (
        lambda: tfd.GaussianProcess(KERNELS.ExponentiatedQuadratic(0.3, 0.7), [[0.0]], mean_fn=None, jitter=0.0),
        stats.norm.logpdf(X, 0.0, 0.3),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_all_digits(name):
    make, right = CASES[name]
    with precision("float64"):
        wide = to_float64(make())
        # Names of types differ between TensorFlow and NumPy.
        assert keras.backend.standardize_dtype(wide.dtype) == "float64"
        shape = (*wide.batch_shape, *wide.event_shape)
        found = keras.ops.convert_to_numpy(wide.log_prob(np.full(shape, X)))
    assert found.sum() == pytest.approx(right, rel=1e-12)


def test_what_has_64_bits_stays_the_same_object():
    with precision("float64"):
        normal = tfd.Normal(np.float64(0.1), np.float64(0.3))
        assert to_float64(normal) is normal


def test_discrete_values_keep_their_type():
    with precision("float64"):
        wide = to_float64(tfd.Categorical(logits=[0.1, 0.2]))
        assert keras.backend.standardize_dtype(wide.dtype) == "int32"
        assert keras.backend.standardize_dtype(wide.logits.dtype) == "float64"


def test_sites_come_in_the_precision_that_is_asked_for():
    def network():
        return kprob.sample("x", tfd.Normal(0.1, 0.3)), kprob.param("w", 0.1)

    with precision("float64"):
        found = [keras.backend.standardize_dtype(value.dtype) for value in network()]
        assert keras.backend.standardize_dtype(keras.ops.ones(()).dtype) == "float64"
    assert found == ["float64", "float64"]
    assert [keras.backend.standardize_dtype(value.dtype) for value in network()] == ["float32", "float32"]
    assert keras.config.floatx() == "float32"
