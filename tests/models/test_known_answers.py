"""Models whose right result is known by conjugacy or quadrature: `fit` must find it.

The figures are exact; tolerances say how far a converged stochastic fit may be off.
"""

import csv

import keras
import numpy as np
import pytest
from internals import evaluate_objective, prepare_data

import kprob
from kprob import layers, tfd

SENSORS = np.array([18, 18.7, 19.2, 17.8, 20.3, 22.4, 20.3, 21.2, 19.5, 20.1])


def adam(start: float, steps: int):
    """Adam whose rate falls to zero, so that what is left is bias and not noise."""
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(start, steps))


class Temperature(kprob.ProbabilisticModel):
    """temp ~ N(15, 2); sensor ~ N(temp, sensor_scale); q is a normal with fixed or learned parameters."""

    def __init__(self, sensor_scale=1.0, loc="learned", scale="learned", **kwargs):
        super().__init__(**kwargs)
        self.temp = layers.Normal(loc=15.0, scale=2.0)
        self.sensor = layers.Normal(scale=sensor_scale)
        self.q = layers.Normal(loc=loc, scale=scale, name="temp")

    def generative(self):
        self.sensor(loc=self.temp())

    def inference(self):
        self.q()


def elbo_draws(model, data, number, objective=None):
    """Objective of single draws."""
    model.compile(objective or kprob.ELBO(num_samples=number), "adam")
    return model.evaluate(data, return_dict=True, seed=1)


@pytest.mark.parametrize("seed", range(3))
def test_every_draw_of_the_exact_posterior_gives_the_log_evidence(seed):
    model = Temperature(loc=17.4, scale=0.8**0.5).compile(kprob.ELBO(), "adam")
    found = model.evaluate({"sensor": 18.0}, return_dict=True, seed=seed)
    assert found["elbo"] == pytest.approx(-2.623657, abs=1e-4)
    assert found["loss"] == pytest.approx(2.623657, abs=1e-4)


def test_elbo_at_the_prior():
    # log p(18 | temp) has standard deviation 9.8 under the prior: 20,000 draws leave 0.07.
    found = elbo_draws(Temperature(loc=15.0, scale=2.0), {"sensor": 18.0}, 20_000)
    assert found["elbo"] == pytest.approx(-7.418939, abs=0.28)
    assert found["kl"] == pytest.approx(0.0, abs=1e-4)


def test_analytic_kl_at_the_posterior():
    # KL(N(17.4, 0.8) || N(15, 4)) in closed form, whatever the draw.
    found = elbo_draws(Temperature(loc=17.4, scale=0.8**0.5), {"sensor": 18.0}, 1, kprob.objectives.AnalyticKLELBO())
    kl = np.log(2 / 0.8**0.5) + (0.8 + 2.4**2) / 8 - 0.5
    assert found["kl"] == pytest.approx(kl, abs=1e-5)


@pytest.mark.parametrize("scale, mean, stddev", [(1.0, 17.4, 0.894427), (0.5, 17.823529, 0.485071)])
def test_temperature(scale, mean, stddev):
    model = Temperature(scale).compile(kprob.ELBO(num_samples=16), adam(0.1, 4000))
    model.fit({"sensor": 18.0}, epochs=4000, verbose=0)
    posterior = model.posterior("temp")
    assert posterior.mean() == pytest.approx(mean, abs=0.06 * stddev)
    assert posterior.stddev() == pytest.approx(stddev, rel=0.03)


def test_automatic_guide_finds_the_posterior_of_the_temperature():
    @kprob.probmodel
    def temperature():
        temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
        kprob.sample("sensor", tfd.Normal(temp, 1.0))

    model = temperature().compile(kprob.ELBO(num_samples=16), adam(0.1, 4000))
    history = model.fit({"sensor": 18.0}, epochs=4000, verbose=0)
    assert model.posterior("temp").mean() == pytest.approx(17.4, abs=0.03)
    assert model.posterior("temp").stddev() == pytest.approx(0.894427, rel=0.03)
    assert np.mean(history.history["elbo"][-100:]) == pytest.approx(-2.623657, abs=1e-3)


def ten_sensors(learned: bool):
    @kprob.probmodel
    def network():
        mean = kprob.param("mean_temp", 15.0) if learned else kprob.sample("mean_temp", tfd.Normal(15.0, 2.0))
        with kprob.plate("data"):
            temp = kprob.sample("temp", tfd.Normal(mean, 2.0))
            kprob.sample("sensor", tfd.Normal(temp, 1.0))

    return network()


def test_learned_mean_is_the_maximum_likelihood_estimate():
    model = ten_sensors(learned=True).compile(kprob.ELBO(num_samples=8), adam(0.1, 3000))
    model.fit({"sensor": SENSORS}, epochs=3000, verbose=0)
    assert float(model.trainable_variables[0].numpy()) == pytest.approx(19.75, abs=0.02)
    assert model.posterior("temp").stddev() == pytest.approx(np.full(10, 0.8**0.5), rel=0.05)


def test_mean_field_of_a_hierarchy_stops_at_its_own_optimum():
    model = ten_sensors(learned=False).compile(kprob.ELBO(num_samples=8), adam(0.1, 4000))
    model.fit({"sensor": SENSORS}, epochs=4000, verbose=0)
    assert model.posterior("mean_temp").mean() == pytest.approx(19.222222, abs=0.02)
    assert model.posterior("mean_temp").stddev() == pytest.approx(0.603023, rel=0.03)
    model.compile(kprob.ELBO(num_samples=4000), "adam")
    found = 10 * model.evaluate({"sensor": SENSORS}, return_dict=True, seed=0)["elbo"]
    assert found == pytest.approx(-22.760967, abs=0.05)


def test_normal_with_unknown_mean_and_precision():
    data = np.random.RandomState(123).normal(5, 1, 100)

    class Precision(kprob.ProbabilisticModel):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.gamma = layers.Gamma(concentration=1.0, rate=1.0)
            self.mu = layers.Normal(loc=0.0, scale=10_000.0)
            self.x = layers.Normal()

        def generative(self):
            gamma, mu = self.gamma(), self.mu()
            with kprob.plate("data"):
                self.x(loc=mu, scale=gamma**-0.5)

    model = Precision().compile(kprob.ELBO(num_samples=64), adam(0.1, 6000))
    model.fit({"x": data}, epochs=6000, batch_size=100, verbose=0)
    gamma = model.posterior("gamma")
    assert gamma.mean(num_samples=20_000, seed=0) == pytest.approx(51 / 65.2864, rel=0.03)
    assert gamma.stddev(num_samples=20_000, seed=0) == pytest.approx(51**0.5 / 65.2864, rel=0.03)
    assert model.posterior("mu").mean(num_samples=20_000, seed=0) == pytest.approx(5.027109, abs=0.01)
    assert model.posterior("mu").stddev(num_samples=20_000, seed=0) == pytest.approx(0.113143, rel=0.03)
    model.compile(kprob.ELBO(num_samples=4000), "adam")
    found = 100 * model.evaluate({"x": data}, batch_size=100, return_dict=True, seed=0)["elbo"]
    assert found == pytest.approx(-167.4235, abs=0.05)


def terrain(requires_shared):
    path = requires_shared("rugged", "rugged_data.csv")
    with open(path, encoding="latin-1") as file:
        rows = [row for row in csv.DictReader(file) if row["rgdppc_2000"] not in ("", "NA")]
    africa, rugged = (np.array([float(row[name]) for row in rows]) for name in ("cont_africa", "rugged"))
    return np.stack([africa, rugged, africa * rugged], 1), np.log([float(row["rgdppc_2000"]) for row in rows])


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


def test_terrain_ruggedness(requires_shared):
    features, y = terrain(requires_shared)
    assert features.shape == (170, 3)
    model = Terrain().compile(kprob.ELBO(num_samples=64), adam(0.1, 6000))
    model.fit({"features": features, "y": y}, batch_size=170, epochs=6000, verbose=0)
    exact_sd = np.array([0.22225, 0.07706, 0.12975])
    assert np.abs(model.posterior("w").mean() - [-1.84258, -0.18371, 0.34676]).max() < 0.1 * exact_sd.min()
    assert model.posterior("b").mean(num_samples=20_000, seed=0) == pytest.approx(9.18221, abs=0.01)
    assert model.posterior("w").stddev() == pytest.approx(np.array([0.134, 0.041, 0.080]), rel=0.03)
    assert model.posterior("b").stddev(num_samples=20_000, seed=0) == pytest.approx(0.072, rel=0.03)
    model.compile(kprob.ELBO(num_samples=4000), "adam")
    found = 170 * model.evaluate({"features": features, "y": y}, batch_size=170, return_dict=True, seed=0)["elbo"]
    assert found == pytest.approx(-250.868, abs=0.05)


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_the_mean_of_minibatch_elbos_is_the_full_one(batch_size):
    # For one and the same draw of the globals, over the batches of an epoch weighted by their rows.
    from kprob.backend import random
    from kprob.data import batch_of

    x = np.random.RandomState(0).normal(2.0, 1.5, 100).astype("float32")

    @kprob.probmodel
    def network():
        mu = kprob.sample("mu", tfd.Normal(0.0, 3.0))
        sigma = kprob.sample("sigma", tfd.HalfNormal(2.0))
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(mu, sigma))

    model = network().compile(kprob.ELBO(), "adam")
    model.fit({"x": x}, epochs=1, verbose=0)
    seed = random.seed(5)
    full = float(evaluate_objective(model, batch_of(prepare_data(model.networks, {"x": x})), seed).elbo)
    parts = []
    for start in range(0, 100, batch_size):
        part = prepare_data(model.networks, {"x": x[start : start + batch_size]})
        value = float(evaluate_objective(model, batch_of(part, num_data=100), seed).elbo)
        parts.append(value * part.num_rows / 100)
    assert sum(parts) == pytest.approx(full, rel=1e-5)
