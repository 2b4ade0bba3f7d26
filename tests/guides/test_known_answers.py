"""Posteriors that are known: every guide finds them, or the best of its family."""

import csv

import keras
import numpy as np
import pytest
from guides import guided_models
from guides.guided_models import READINGS, adam

import kprob
from kprob import guides, layers

NORMALS = ("Group", "Laplace", "LowRankMultivariateNormal", "MultivariateNormal", "Normal", "Structured")
EVIDENCE_OF_ONE, EVIDENCE_OF_TEN = -2.623657, -22.660632


def fitted(model, data, steps, draws, start=0.1, objective=kprob.ELBO, **options):
    model.compile(objective(num_samples=draws), adam(start, steps))
    model.fit(data, epochs=steps, verbose=0, **options)
    return model


def elbo(model, data, draws, **options):
    model.compile(kprob.ELBO(num_samples=draws), "adam")
    return model.evaluate(data, return_dict=True, seed=0, **options)["elbo"]


def test_laplace_is_exact_where_all_is_normal():
    model = fitted(guided_models.temperature(inference=guides.Laplace()), {"sensor": 18.0}, 300, 1)
    assert model.posterior("level").mean() == pytest.approx(17.4, abs=1e-3)
    assert model.posterior("level").stddev() == pytest.approx(0.894427, abs=1e-4)
    assert elbo(model, {"sensor": 18.0}, 1) == pytest.approx(EVIDENCE_OF_ONE, abs=1e-4)


@pytest.mark.parametrize("batch_size", [10, 4])
def test_laplace_of_a_hierarchy_is_exact_with_the_whole_data_whatever_the_batch(batch_size, tmp_path):
    model = guided_models.days(inference=guides.Laplace())
    data = {"sensor": READINGS}
    fitted(model, data, 400 if batch_size == 10 else 1000, 1, batch_size=batch_size)
    exact = 0.01 if batch_size == 10 else 0.1
    assert model.posterior("mean").mean() == pytest.approx(19.222222, abs=exact)
    assert model.posterior("mean").stddev() == pytest.approx(0.666667, abs=1e-4)
    if batch_size == 10:
        draws = model.posterior("day", data).sample(4000, seed=0)
        assert draws[:, 0].mean() == pytest.approx(18.244444, abs=0.06)
        assert draws[:, 0].std() == pytest.approx(0.904311, rel=0.05)
        assert 10 * elbo(model, data, 1) == pytest.approx(EVIDENCE_OF_TEN, abs=1e-3)
    model.save(tmp_path / "m.h5")
    again = kprob.load_model(tmp_path / "m.h5")
    assert again.posterior("mean").stddev() == model.posterior("mean").stddev()


@pytest.mark.slow
@pytest.mark.parametrize("name", NORMALS)
def test_temperature(name):
    # Where the family holds the posterior, this gradient's noise goes as q comes near it: to the last digit of the bound.
    objective = kprob.ELBO if name == "Laplace" else kprob.objectives.StickingTheLandingELBO
    model = guided_models.temperature(inference=guided_models.GUIDES[name]())
    fitted(model, {"sensor": 18.0}, 4000, 8, objective=objective)
    posterior = model.posterior("level")
    assert posterior.mean() == pytest.approx(17.4, abs=0.03)
    assert posterior.stddev() == pytest.approx(0.894427, rel=0.03)
    assert model.guide.median()["level"] == pytest.approx(17.4, abs=0.03)
    assert elbo(model, {"sensor": 18.0}, 1000) == pytest.approx(EVIDENCE_OF_ONE, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", guided_models.FLOWS)
def test_temperature_by_a_flow(name):
    model = fitted(guided_models.temperature(inference=guided_models.GUIDES[name]()), {"sensor": 18.0}, 3000, 8, 0.03)
    draws = model.posterior("level").sample(4000, seed=0)
    assert draws.mean() == pytest.approx(17.4, abs=0.1)
    assert draws.std() == pytest.approx(0.894427, rel=0.1)
    assert elbo(model, {"sensor": 18.0}, 1000) == pytest.approx(EVIDENCE_OF_ONE, abs=1e-2)


def test_temperature_at_its_mode():
    model = fitted(guided_models.temperature(inference=guides.Delta()), {"sensor": 18.0}, 300, 1)
    assert model.guide.median()["level"] == pytest.approx(17.4, abs=1e-3)
    assert elbo(model, {"sensor": 18.0}, 1) == pytest.approx(-3.431024, abs=1e-4)  # the log-joint density at 17.4


@pytest.mark.slow
def test_structured_reaches_the_evidence_of_a_hierarchy_and_mean_field_does_not():
    data = {"sensor": READINGS}
    found = {}
    for guide in (guides.Structured(), guides.Normal()):
        model = guided_models.days(inference=guide)
        fitted(model, data, 8000, 8, objective=kprob.objectives.StickingTheLandingELBO, batch_size=10)
        found[type(guide)] = 10 * elbo(model, data, 4000), model.posterior("mean")
        assert model.posterior("mean").mean() == pytest.approx(19.222222, abs=0.03)
    assert found[guides.Structured][0] == pytest.approx(EVIDENCE_OF_TEN, abs=2e-3)
    assert found[guides.Structured][1].stddev() == pytest.approx(0.666667, rel=0.03)
    assert found[guides.Normal][0] == pytest.approx(-22.760967, abs=0.02)
    assert found[guides.Normal][1].stddev() == pytest.approx(0.603023, rel=0.03)


@pytest.mark.slow
def test_full_rank_reaches_the_evidence_of_a_hierarchy():
    data = {"sensor": READINGS}
    model = guided_models.ten_days(inference=guides.MultivariateNormal())
    fitted(model, data, 8000, 8, objective=kprob.objectives.StickingTheLandingELBO)
    assert elbo(model, data, 4000) == pytest.approx(EVIDENCE_OF_TEN, abs=2e-3)
    assert model.posterior("mean").stddev() == pytest.approx(0.666667, rel=0.03)
    spread = model.guide.quantiles([0.8413447])["day"][0] - model.guide.median()["day"]
    assert spread[0] == pytest.approx(0.904311, rel=0.03)


class Terrain(kprob.ProbabilisticModel):
    """The regression of Nunn and Puga, with a Gamma precision."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.w = layers.Normal(3, loc=0.0, scale=1.0)
        self.b = layers.Normal(loc=0.0, scale=1000.0)
        self.precision = layers.Gamma(concentration=1.0, rate=1.0)
        self.y = layers.Normal()

    def generative(self, features):
        w, b, precision = self.w(), self.b(), self.precision()
        with kprob.plate("data"):
            self.y(loc=keras.ops.matmul(features, w) + b, scale=precision**-0.5)


@pytest.fixture
def terrain(requires_shared):
    """The data: 170 countries."""
    with open(requires_shared("rugged", "rugged_data.csv"), encoding="latin-1") as file:
        rows = [row for row in csv.DictReader(file) if row["rgdppc_2000"] not in ("", "NA")]
    africa, rugged = (np.array([float(row[name]) for row in rows]) for name in ("cont_africa", "rugged"))
    features, y = np.stack([africa, rugged, africa * rugged], 1), np.log([float(row["rgdppc_2000"]) for row in rows])
    return {"features": features, "y": y}


@pytest.mark.slow
def test_full_rank_terrain(terrain):
    model = fitted(Terrain(inference=guides.MultivariateNormal()), terrain, 10_000, 16, 0.05, batch_size=170)
    level = [0.8413447]  # one standard deviation above the mean
    spread = {name: value[0] - model.guide.median()[name] for name, value in model.guide.quantiles(level).items()}
    np.testing.assert_allclose(spread["w"], [0.22225, 0.07706, 0.12975], rtol=0.03)
    assert spread["b"] == pytest.approx(0.13888, rel=0.03)
    assert model.posterior("precision").stddev(num_samples=4000, seed=0) == pytest.approx(0.12229, rel=0.05)
    found = 170 * elbo(model, terrain, 4000, batch_size=170)
    assert found == pytest.approx(-249.796, abs=0.01)
