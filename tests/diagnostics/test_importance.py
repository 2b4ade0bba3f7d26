"""Pareto-smoothed importance sampling: against ArviZ, and tails whose shape is known."""

import importlib
import warnings

import numpy as np
import pytest
from scipy import stats

from kprob.diagnostics import fit_generalized_pareto, pareto_smooth, systematic_resample
from kprob.diagnostics.special import beta_quantile, binomial_log_probability, chi_squared_tail
from kprob.numerics import log_mean_exp

pytestmark = pytest.mark.once


@pytest.mark.parametrize("k", [-0.3, 0.0001, 0.4, 0.7, 1.2])
def test_the_shape_of_pareto_draws_is_found(k):
    draws = [stats.genpareto(k, scale=2.0).rvs(2000, random_state=seed) for seed in range(20)]
    found = np.mean([fit_generalized_pareto(x) for x in draws], axis=0)
    # The weak prior draws k towards 1/2 by 10 observations' weight.
    assert found[0] == pytest.approx((2000 * k + 5) / 2010, abs=0.025)
    assert found[1] == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize("degrees", [1, 2, 4])
def test_weights_of_a_student_t_have_the_exact_k(degrees):
    # |t| with ν degrees of freedom has the tail x^(-ν): k = 1/ν.
    weights = [np.log(np.abs(np.random.default_rng(s).standard_t(degrees, size=20_000))) for s in range(10)]
    found = np.mean([pareto_smooth(w).k_hat for w in weights])
    assert found == pytest.approx(1 / degrees, abs=0.06)


def smoothed_by_arviz(arviz, log_weights):
    """Returns what either ArviZ makes of log weights; since ArviZ 1.0 it asks for log-likelihoods, which are their negatives."""
    if hasattr(arviz, "psislw"):
        return arviz.psislw(log_weights)
    return importlib.import_module("arviz_stats.base").array_stats.psislw(-log_weights)


# Numbers whose tails have a whole number of draws: ArviZ rounds that up, and since 1.0 down.
@pytest.mark.parametrize("number", [100, 900, 4900])
@pytest.mark.parametrize("degrees", [1, 3, 30])
def test_the_numbers_are_arviz_s(number, degrees):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arviz = pytest.importorskip("arviz", reason="ArviZ's numbers are compared with")
        log_weights = np.random.default_rng(number).standard_t(degrees, size=(number, 2))
        theirs = [smoothed_by_arviz(arviz, column.copy()) for column in log_weights.T]
    ours = pareto_smooth(log_weights)
    for i, (smoothed, k) in enumerate(theirs):
        # Where one draw has all weight, ArviZ 1 has no number.
        theirs_k = float("inf") if np.isnan(k) else float(k)
        assert ours.k_hat[i] == pytest.approx(theirs_k, rel=1e-8)
        assert ours.log_weights[:, i] == pytest.approx(smoothed, abs=1e-8)


def test_weights_that_are_all_alike_are_perfect():
    found = pareto_smooth(np.full(500, -3.0))
    assert found.k_hat == -np.inf and found.ess == pytest.approx(500)
    assert found.weights == pytest.approx(np.full(500, 1 / 500))


def test_a_draw_without_density_counts_nothing():
    log_weights = np.random.default_rng(0).normal(size=500)
    log_weights[:3] = -np.inf
    found = pareto_smooth(log_weights)
    assert np.all(found.weights[:3] == 0) and np.isfinite(found.k_hat)


def test_too_few_draws_tell_nothing():
    assert pareto_smooth(np.random.default_rng(0).normal(size=10)).k_hat == np.inf


def test_smoothing_lowers_the_error_of_an_expectation():
    errors = []
    for seed in range(200):  # q = N(0, 1), p = N(0, 1.4): heavy weights
        x = np.random.default_rng(seed).normal(size=1000)
        log_weights = stats.norm(0, 1.4).logpdf(x) - stats.norm(0, 1).logpdf(x)
        raw = np.exp(log_weights - log_mean_exp(log_weights)) / 1000
        errors.append([raw @ x**2 - 1.96, pareto_smooth(log_weights).weights @ x**2 - 1.96])
    raw, smoothed = np.sqrt(np.mean(np.square(errors), axis=0))
    assert smoothed < 0.95 * raw


def test_resampling_keeps_to_the_weights():
    weights = np.array([0.1, 0.0, 0.6, 0.3])
    chosen = systematic_resample(weights, 1000, np.random.default_rng(0))
    assert np.bincount(chosen, minlength=4).tolist() == [100, 0, 600, 300]
    assert not np.array_equal(chosen, np.sort(chosen))


def test_special_functions_are_scipy_s():
    for value, degrees in [(0.1, 1), (7.3, 5), (17.3, 12), (60.0, 19), (0.0, 3)]:
        assert chi_squared_tail(value, degrees) == pytest.approx(stats.chi2.sf(value, degrees), rel=1e-10)
    for number, probability in [(10, 0.3), (200, 0.01), (200, 0.995), (5, 0.0)]:
        exact = stats.binom.logpmf(np.arange(number + 1), number, probability)
        assert np.exp(binomial_log_probability(number, probability)) == pytest.approx(np.exp(exact), abs=1e-12)
    for probability, a, b in [(0.16, 3.0, 8.0), (0.84, 400.0, 20.0), (0.5, 1.0, 1.0)]:
        assert beta_quantile(probability, a, b) == pytest.approx(stats.beta.ppf(probability, a, b), rel=1e-9)
