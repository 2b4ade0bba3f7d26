"""Where TFP's numbers are wrong, kprob's are SciPy's, wherever the distribution stands."""

import numpy as np
import pytest
from contracts import as_numpy
from keras import ops
from scipy import integrate, special, stats

import kprob
from kprob import backend, tfd
from kprob.backend import random
from kprob.distributions import draw, log_prob
from kprob.distributions.corrected.replacing import corrected


def at(value):
    return ops.convert_to_tensor(value, dtype="float32")


LOGIT = float(special.logit(0.3))
NEGATIVE_BINOMIAL = {"total_count": 3.0, "probs": 0.4}
INFLATED = {
    "logits": (lambda: tfd.Inflated(tfd.Poisson(2.0), inflated_loc_logits=LOGIT), stats.poisson(2.0), 0),
    "probs": (lambda: tfd.Inflated(tfd.Poisson(2.0), inflated_loc_probs=0.3), stats.poisson(2.0), 0),
    "at 2": (
        lambda: tfd.Inflated(tfd.Poisson(2.0), inflated_loc_logits=LOGIT, inflated_loc=2.0),
        stats.poisson(2.0),
        2,
    ),
    "negative binomial": (
        lambda: tfd.ZeroInflatedNegativeBinomial(inflated_loc_logits=LOGIT, **NEGATIVE_BINOMIAL),
        stats.nbinom(3, 0.6),
        0,
    ),
}


@pytest.mark.parametrize("name", INFLATED)
def test_inflated_has_the_weight_that_its_logits_say(name):
    make, inner, where = INFLATED[name]
    counts = np.arange(6)
    right = 0.7 * inner.pmf(counts) + 0.3 * (counts == where)
    fixed = corrected(make())
    np.testing.assert_allclose(np.exp(as_numpy(log_prob(fixed, at(counts)))), right, rtol=1e-4)
    np.testing.assert_allclose(as_numpy(fixed.mean()), 0.7 * inner.mean() + 0.3 * where, rtol=1e-5)
    draws = as_numpy(draw(fixed, (20_000,), random.seed(3)))
    assert abs((draws == where).mean() - right[where]) < 5 * np.sqrt(0.25 / 20_000)


def test_inflated_weights_may_be_a_list_and_are_the_parameter_that_was_given():
    fixed = corrected(tfd.Independent(tfd.Inflated(tfd.Poisson([2.0, 2.0]), inflated_loc_logits=[LOGIT, LOGIT]), 1))
    np.testing.assert_allclose(as_numpy(fixed.distribution.inflated_loc_logits), LOGIT, rtol=1e-6)
    once = np.log(0.3 + 0.7 * np.exp(-2.0))
    np.testing.assert_allclose(as_numpy(fixed.log_prob(at([0.0, 0.0]))), 2 * once, rtol=1e-5)


def test_sites_have_the_correction():
    with kprob.handlers.trace() as trace:
        kprob.sample("x", tfd.Inflated(tfd.Poisson(2.0), inflated_loc_logits=LOGIT), observed=0.0)
    np.testing.assert_allclose(float(trace.result["x"].log_prob()), np.log(0.3 + 0.7 * np.exp(-2.0)), rtol=1e-5)


def test_what_is_right_stays_the_same_object():
    mixture = tfd.MixtureSameFamily(tfd.Categorical(logits=[0.0, 0.0]), tfd.Normal([0.0, 1.0], 1.0))
    assert corrected(mixture) is mixture


@pytest.mark.parametrize("concentration", [0.0, 0.3, -0.5])
def test_extreme_values(concentration):
    x = np.array([-9.0, -4.0, -1.5, 0.0, 1.0, 3.0, 8.0])
    right = stats.genextreme(-concentration, 1.0, 2.0).logpdf(x)
    found = corrected(tfd.GeneralizedExtremeValue(1.0, 2.0, concentration)).log_prob(at(x))
    np.testing.assert_allclose(as_numpy(found), right, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("peak", [-1.0, 0.5, 3.0])
def test_a_triangle_whose_peak_is_an_end(peak):
    x = np.array([-1.5, -1.0, -0.5, 0.5, 2.9, 3.0, 3.5])
    right = stats.triang((peak + 1.0) / 4.0, -1.0, 4.0).logpdf(x)

    def density(x, low, high, peak):
        return ops.sum(corrected(tfd.Triangular(low, high, peak)).log_prob(x))

    found = corrected(tfd.Triangular(-1.0, 3.0, peak)).log_prob(at(x))
    np.testing.assert_allclose(as_numpy(found), right, rtol=1e-5, atol=1e-6)
    _, slopes = backend.gradients(density, at([-0.5, 2.9]), at(-1.0), at(3.0), at(peak))
    assert all(np.isfinite(as_numpy(slope)).all() for slope in slopes)


@pytest.mark.parametrize(("shape", "mixing"), [(1.5, 3.0), (0.7, 5.0)])
def test_the_variance_of_a_gamma_number_of_gamma_rate(shape, mixing):
    found = corrected(tfd.GammaGamma(shape, mixing, 2.0)).variance()
    np.testing.assert_allclose(float(found), stats.betaprime(shape, mixing, scale=2.0).var(), rtol=1e-5)


@pytest.mark.parametrize("rate", [0.05, 0.5, 5.0, 100.0, 5000.0])
def test_a_normal_number_with_an_exponential_one(rate):
    x = np.array([-9.0, -5.0, 0.0, 1.0, 1.3, 3.0, 8.0])
    right = stats.exponnorm(1 / (2.0 * rate), 1.0, 2.0).logpdf(x)

    def density(x, rate):
        return ops.sum(corrected(tfd.ExponentiallyModifiedGaussian(1.0, 2.0, rate)).log_prob(x))

    found = corrected(tfd.ExponentiallyModifiedGaussian(1.0, 2.0, rate)).log_prob(at(x))
    np.testing.assert_allclose(as_numpy(found), right, rtol=2e-5, atol=2e-5)
    _, slopes = backend.gradients(density, at(x), at(rate))
    assert all(np.isfinite(as_numpy(slope)).all() for slope in slopes)


def test_a_truncated_normal_inside_others_has_gradients():
    def density(loc):
        half = tfd.TruncatedNormal(loc, 1.0, 0.0, np.float32(np.inf))
        return corrected(tfd.Independent(half, 1)).log_prob(at([0.5, 1.5]))

    value, (slope,) = backend.gradients(density, at([0.2, 0.2]))
    right = stats.truncnorm(-0.2, np.inf, 0.2).logpdf([0.5, 1.5]).sum()
    np.testing.assert_allclose(float(value), right, rtol=1e-5)
    assert np.isfinite(as_numpy(slope)).all()


def test_cholesky_factors_of_wishart_matrices():
    # Of one row: the root of a scaled chi-squared number.
    factor = corrected(tfd.WishartTriL(3.0, np.full((1, 1), 2.0, "float32"), input_output_cholesky=True))

    def density(x):
        return float(np.exp(as_numpy(log_prob(factor, at([[x]])))))

    x = np.linspace(0.01, 15.0, 400)
    densities = np.exp(as_numpy(log_prob(factor, at(x[:, None, None]))))
    np.testing.assert_allclose(integrate.simpson(densities, x=x), 1.0, atol=1e-3)
    np.testing.assert_allclose(density(1.5), stats.chi(3, scale=2.0).pdf(1.5), rtol=1e-4)
    draws = as_numpy(draw(factor, (20_000,), random.seed(3)))[:, 0, 0]
    assert stats.kstest(draws, stats.chi(3, scale=2.0).cdf).pvalue > 1e-3


def test_cholesky_factors_of_correlations():
    factors = corrected(tfd.LKJ(2, 1.5, input_output_cholesky=True))
    angles = np.linspace(-0.999, 0.999, 2001)
    rows = np.zeros((2001, 2, 2), "float32")
    rows[:, 0, 0], rows[:, 1, 0], rows[:, 1, 1] = 1.0, angles, np.sqrt(1 - angles**2)
    densities = np.exp(as_numpy(log_prob(factors, at(rows))))
    np.testing.assert_allclose(integrate.simpson(densities, x=angles), 1.0, atol=2e-3)
