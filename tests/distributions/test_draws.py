"""Draws: wrappers are looked through, gradients have the right mean, tails are right."""

import numpy as np
import pytest
from contracts import as_numpy
from keras import ops
from scipy import special, stats

from kprob import backend, tfd
from kprob.backend import random
from kprob.distributions import draw, is_reparameterized
from kprob.distributions.corrected.truncated_normal import TruncatedNormal
from kprob.distributions.sampling.gamma import log_gamma

SEED = 5


def at(value):
    return ops.convert_to_tensor(value, dtype="float32")


WRAPPED = {
    "independent": lambda: tfd.Independent(tfd.Normal(at([1.0, 2.0, 3.0]), 1e-6), 1),
    "broadcast": lambda: tfd.BatchBroadcast(tfd.Normal(at([1.0, 2.0, 3.0]), 1e-6), (3,)),
    "masked": lambda: tfd.Masked(tfd.Normal(at([1.0, 2.0, 3.0]), 1e-6), True),
    "transformed": lambda: tfd.TransformedDistribution(
        tfd.Normal(at(np.log([1.0, 2.0, 3.0])), 1e-6), backend.tfb.Exp()
    ),
    "all of them": lambda: tfd.Independent(
        tfd.BatchBroadcast(
            tfd.TransformedDistribution(tfd.Normal(0.0, 1e-6), backend.tfb.Shift(at([1.0, 2.0, 3.0]))), (3,)
        ),
        1,
    ),
    "mixture": lambda: tfd.MixtureSameFamily(
        tfd.Categorical(probs=at([0.0, 1.0])), tfd.Normal(at([[9.0, 1.0], [9.0, 2.0], [9.0, 3.0]]), 1e-5)
    ),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_wrappers_are_looked_through(name):
    def run():
        return draw(WRAPPED[name](), (2,), random.seed(SEED))

    values = as_numpy(run())
    assert values.shape == (2, 3)
    np.testing.assert_allclose(values, [[1.0, 2.0, 3.0]] * 2, atol=1e-4)
    # Drawn by kprob: XLA gives the very same numbers, which TFP's own samplers don't.
    noise = (values - np.array([1.0, 2.0, 3.0])) / np.array([1.0, 2.0, 3.0]) ** (name == "transformed")
    compiled = as_numpy(backend.compile_function(run, jit=True)())
    np.testing.assert_allclose(compiled, values, rtol=3e-7)
    assert len(np.unique(noise)) > 3, "elements of a broadcast batch must be drawn one by one"


def test_a_broadcast_batch_is_drawn_element_by_element():
    distribution = tfd.BatchBroadcast(tfd.Poisson(at(20.0)), (50,))
    values = as_numpy(draw(distribution, (), random.seed(SEED)))
    assert values.shape == (50,) and len(np.unique(values)) > 5


def test_a_batch_that_is_only_known_when_running():
    def run(loc):
        return draw(tfd.Normal(loc, 1e-6), (2,), random.seed(SEED))

    values = as_numpy(backend.compile_function(run)(at([4.0, 5.0])))
    np.testing.assert_allclose(values, [[4.0, 5.0]] * 2, atol=1e-4)


@pytest.mark.parametrize("concentration", [0.05, 0.3, 1.0, 2.5, 40.0])
def test_gamma_draws_and_their_gradients(concentration):
    def mean(a):
        return ops.mean(log_gamma(a, (100_000,), random.seed(SEED), "float32"))

    value, (slope,) = backend.gradients(mean, at(concentration))
    # E log x is the digamma function, and its derivative the trigamma function: here to 6 standard errors, which for
    # the pathwise gradient below 1 are those of an exponential number divided by a^2.
    error = 6 * np.sqrt(special.polygamma(1, concentration) / 100_000)
    assert abs(float(value) - special.digamma(concentration)) < error
    trigamma = special.polygamma(1, concentration)
    assert abs(float(slope) - trigamma) < 6 * trigamma / np.sqrt(100_000) + 2e-3 * trigamma


@pytest.mark.parametrize(
    "bounds", [(-1.0, 2.0), (0.0, np.inf), (-np.inf, np.inf), (8.0, 9.0), (-30.0, -29.0), (15.0, np.inf)]
)
def test_truncated_normal_far_out_and_with_infinite_bounds(bounds):
    low, high = bounds
    inside = [0.5, 1.0] if low < 5 and high > 0 else [low + 0.1, low + 0.5]

    def density(loc, scale):
        return ops.sum(TruncatedNormal(loc, scale, low, high).log_prob(at(inside)))

    def scipy_density(loc, scale):
        a, b = (low - loc) / scale, (high - loc) / scale
        return stats.truncnorm.logpdf(inside, a, b, loc, scale).sum()

    value, found = backend.gradients(density, at(0.3), at(1.2))
    step = 1e-5
    slopes = [
        (scipy_density(0.3 + step, 1.2) - scipy_density(0.3 - step, 1.2)) / (2 * step),
        (scipy_density(0.3, 1.2 + step) - scipy_density(0.3, 1.2 - step)) / (2 * step),
    ]
    np.testing.assert_allclose(float(value), scipy_density(0.3, 1.2), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose([float(g) for g in found], slopes, rtol=1e-3, atol=1e-3)
    draws = as_numpy(draw(TruncatedNormal(at(0.3), at(1.2), low, high), (20_000,), random.seed(SEED)))
    reference = stats.truncnorm((low - 0.3) / 1.2, (high - 0.3) / 1.2, 0.3, 1.2)
    assert abs(draws.mean() - reference.mean()) < 5 * reference.std() / np.sqrt(20_000)
    assert draws.min() >= low and draws.max() <= high


def test_gradients_of_draws_are_those_of_the_mean():
    # d/d(loc, scale) E x^2 = (2 loc, 2 scale); 5 standard errors.
    def second_moment(loc, scale):
        return ops.mean(draw(tfd.Normal(loc, scale), (100_000,), random.seed(SEED)) ** 2)

    _, found = backend.gradients(second_moment, at(1.5), at(0.5))
    np.testing.assert_allclose([float(g) for g in found], [3.0, 1.0], atol=5 * 2 * 1.6 / np.sqrt(100_000))


def test_what_is_reparameterized():
    assert is_reparameterized(tfd.Independent(tfd.Gamma(at([1.0]), 1.0), 1))
    assert not is_reparameterized(tfd.Bernoulli(logits=at(0.0)))
    mixture = tfd.MixtureSameFamily(tfd.Categorical(logits=at([0.0, 0.0])), tfd.Normal(at([0.0, 1.0]), 1.0))
    assert not is_reparameterized(mixture)
