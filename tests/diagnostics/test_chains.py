"""R-hat, effective sample sizes and Monte Carlo errors: against ArviZ, and against what is known of AR(1) chains."""

import warnings

import numpy as np
import pytest
from scipy import stats

import kprob.diagnostics as diagnostics
from kprob.diagnostics.ranking import folded_scores
from kprob.errors import KprobError

pytestmark = pytest.mark.once


def autoregressive(phi, chains=4, draws=1000, seed=0):
    noise = np.random.default_rng(seed).normal(size=(chains, draws))
    found = np.empty_like(noise)
    found[:, 0] = noise[:, 0] / np.sqrt(1 - phi**2)
    for t in range(1, draws):
        found[:, t] = phi * found[:, t - 1] + noise[:, t]
    return found


@pytest.fixture(scope="module")
def arviz():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("arviz", reason="ArviZ's numbers are compared with")


CHAINS = {
    "independent": autoregressive(0.0),
    "slow": autoregressive(0.9),
    "to and fro": autoregressive(-0.6),
    "odd": autoregressive(0.5, draws=333),
    "apart": autoregressive(0.5) + np.array([[0.0], [0.0], [0.0], [1.0]]),
    "cauchy": np.random.default_rng(1).standard_cauchy(size=(4, 500)),
    "ties": np.round(autoregressive(0.3)),
    "one": autoregressive(0.5, chains=1),
}
OURS = {
    "bulk": (diagnostics.ess_bulk, lambda az, x: az.ess(x, method="bulk")),
    "tail": (diagnostics.ess_tail, lambda az, x: az.ess(x, method="tail", prob=(0.05, 0.95))),
    "mean": (diagnostics.ess_mean, lambda az, x: az.ess(x, method="mean")),
    "quantile": (lambda x: diagnostics.ess_quantile(x, 0.3), lambda az, x: az.ess(x, method="quantile", prob=0.3)),
    "rhat": (diagnostics.rhat, lambda az, x: az.rhat(x)),
    "mcse mean": (diagnostics.mcse_mean, lambda az, x: az.mcse(x, method="mean")),
    "mcse sd": (diagnostics.mcse_sd, lambda az, x: az.mcse(x, method="sd")),
    "mcse quantile": (
        lambda x: diagnostics.mcse_quantile(x, 0.9),
        lambda az, x: az.mcse(x, method="quantile", prob=0.9),
    ),
    "bfmi": (diagnostics.bfmi, lambda az, x: az.bfmi(x)),
}


@pytest.mark.parametrize("chains", CHAINS)
@pytest.mark.parametrize("which", OURS)
def test_the_numbers_are_arviz_s(arviz, which, chains):
    ours, theirs = OURS[which]
    draws = CHAINS[chains]
    if (which, chains) == ("rhat", "one"):
        pytest.skip("ArviZ gives no R-hat of one chain, which halves have")
    assert ours(draws) == pytest.approx(theirs(arviz, draws), rel=1e-6)


@pytest.mark.parametrize("number", range(4, 13))
@pytest.mark.parametrize("which", ["bulk", "mean", "tail"])
def test_very_short_chains_have_arviz_s_numbers_too(arviz, which, number):
    ours, theirs = OURS[which]
    for chains in (1, 2, 4):
        draws = autoregressive(0.3, chains, number, seed=chains)
        assert ours(draws) == pytest.approx(theirs(arviz, draws), rel=1e-6)


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9, -0.5])
def test_an_autoregressive_chain_has_the_effective_size_that_is_known(phi):
    found = np.mean([diagnostics.ess_mean(autoregressive(phi, draws=4000, seed=s)) for s in range(20)])
    assert found == pytest.approx(16_000 * (1 - phi) / (1 + phi), rel=0.06)


def test_trailing_axes_are_kept_and_each_number_is_by_itself():
    both = np.stack([CHAINS["slow"], CHAINS["apart"]], axis=-1)[..., None]
    for function in (diagnostics.ess_bulk, diagnostics.rhat, diagnostics.mcse_mean, diagnostics.ess_tail):
        found = function(both)
        assert found.shape == (2, 1)
        assert found[1, 0] == pytest.approx(function(CHAINS["apart"]))


def test_a_chain_that_never_moves():
    still = np.ones((4, 100))
    assert diagnostics.ess_mean(still) == 400
    assert np.isnan(diagnostics.rhat(still))


def test_what_are_no_chains_is_said():
    with pytest.raises(KprobError, match=r"shape \(chains, draws"):
        diagnostics.rhat(np.zeros(100))


def test_a_rise_is_told_from_noise():
    noise = autoregressive(0.7, chains=200, draws=400)
    false_alarms = sum(diagnostics.trend(chain).certain for chain in noise)
    assert false_alarms <= 8  # of 200 at three standard errors, which are estimated from a hundred numbers
    rising = noise + 20 * (1 - np.exp(-np.arange(400) / 300))
    assert sum(diagnostics.trend(chain).certain for chain in rising) > 180
    assert np.isnan(diagnostics.trend(noise[0, :10]).error)


@pytest.mark.parametrize("chains", CHAINS)
def test_both_from_one_ranking(chains):
    draws = np.stack([CHAINS[chains], -(CHAINS[chains] ** 2)], axis=-1)
    found = diagnostics.mixing(draws)
    np.testing.assert_array_equal(found.rhat, diagnostics.rhat(draws))
    np.testing.assert_array_equal(found.ess_bulk, diagnostics.ess_bulk(draws))


def test_normal_scores_are_quantiles_of_mean_ranks():
    draws = CHAINS["ties"][:, :100]
    folded = np.abs(draws - np.median(draws))
    for found, values in zip(folded_scores(draws), (draws, folded), strict=True):
        right = stats.norm.ppf((stats.rankdata(values) - 0.375) / (values.size + 0.25))
        np.testing.assert_allclose(found.ravel(), right, atol=1e-9)
