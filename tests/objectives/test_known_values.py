"""Bounds of the temperature model whose values are known."""

import numpy as np
import pytest
from objectives import exact
from objectives.models import EVIDENCE, Temperature, compiled, evaluations

import kprob

PRIOR = (15.0, 2.0)
POSTERIOR = (17.4, 0.8**0.5)


@pytest.mark.parametrize("draws, known, digits", [(5, -3.143, 1e-3), (50, -2.653, 1e-3), (500, -2.6263, 1e-3)])
def test_the_quadrature_gives_the_known_bounds(draws, known, digits):
    assert exact.bound(*PRIOR, draws) == pytest.approx(known, abs=digits)


def test_the_quadrature_gives_the_known_elbo_and_renyi_bound():
    assert exact.elbo(*PRIOR) == pytest.approx(-7.418939, abs=1e-5)
    assert exact.bound(*PRIOR, 1_000_000, alpha=0.5) == pytest.approx(-3.517551, abs=1e-4)


def in_plate(objective, number):
    """The objective per row, each row an independent evaluation of the same bound; and its standard error."""
    model = compiled(Temperature(*PRIOR, plate=True), objective, {"sensor": np.full(number, 18.0)})
    return model.evaluate({"sensor": np.full(number, 18.0)}, batch_size=number, return_dict=True, seed=1, verbose=0)


@pytest.mark.parametrize("draws, rows, allowed", [(5, 50_000, 0.033), (50, 10_000, 0.016), (500, 1_000, 0.014)])
def test_importance_weighted_bound_of_each_row(draws, rows, allowed):
    # One evaluation's standard deviation is 1.8, 0.4 and 0.11: allowed are four standard errors.
    found = in_plate(kprob.objectives.ImportanceWeightedELBO(draws), rows)
    assert found["elbo"] == pytest.approx(exact.bound(*PRIOR, draws), abs=allowed)
    assert found["loss"] == pytest.approx(-found["elbo"], rel=1e-6)


@pytest.mark.parametrize("draws", [3, 50])
def test_importance_weighted_bound_of_a_global_latent(draws):
    model = compiled(Temperature(*PRIOR), kprob.objectives.ImportanceWeightedELBO(draws, "plain"), {"sensor": 18.0})
    values, _ = evaluations(model, {"sensor": 18.0}, 1000)
    assert values.mean() == pytest.approx(exact.bound(*PRIOR, draws), abs=4 * values.std() / np.sqrt(1000))


def test_renyi_bound_of_many_draws():
    found = in_plate(kprob.objectives.RenyiELBO(0.5, 500), 1_000)
    assert found["elbo"] == pytest.approx(exact.bound(*PRIOR, 500, alpha=0.5), abs=0.01)
    assert found["elbo"] == pytest.approx(-3.517551, abs=0.02)


@pytest.mark.parametrize(
    "objective",
    [
        kprob.objectives.ImportanceWeightedELBO(5),
        kprob.objectives.RenyiELBO(0.5, 5),
        kprob.objectives.RenyiELBO(1.0, 3),
        kprob.objectives.ReweightedWakeSleep(3),
        kprob.objectives.TailAdaptive(3),
        kprob.objectives.StickingTheLandingELBO(),
    ],
    ids=lambda objective: f"{type(objective).__name__} {objective.num_samples}",
)
def test_every_draw_of_the_posterior_gives_the_evidence(objective):
    model = compiled(Temperature(*POSTERIOR), objective, {"sensor": 18.0})
    values, gradients = evaluations(model, {"sensor": 18.0}, 20)
    np.testing.assert_allclose(values, EVIDENCE, atol=2e-5)
    if isinstance(objective, kprob.objectives.StickingTheLandingELBO | kprob.objectives.TailAdaptive):
        np.testing.assert_allclose(gradients, 0.0, atol=2e-5)  # what rounding leaves


def test_the_plain_gradient_at_the_posterior_is_only_zero_on_average():
    model = compiled(Temperature(*POSTERIOR), kprob.ELBO(), {"sensor": 18.0})
    _, gradients = evaluations(model, {"sensor": 18.0}, 200)
    assert gradients.std(0).min() > 0.5
