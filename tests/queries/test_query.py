"""Queries: shapes, repeatability and numbers, against closed forms."""

import keras
import numpy as np
import pytest
from scipy import stats

import kprob
from kprob import layers, tfd


class Chain(kprob.ProbabilisticModel):
    """mu ~ N(1, 2); x_i ~ N(mu, 0.5); q(mu) = N(3, 0.1)."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.mu = layers.Normal(loc=1.0, scale=2.0)
        self.x = layers.Normal(scale=0.5)
        self.q = layers.Normal(loc=3.0, scale=0.1, name="mu")

    def generative(self):
        mu = self.mu()
        with kprob.plate("data"):
            self.x(loc=mu)

    def inference(self):
        self.q()


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    model = Chain().compile(kprob.ELBO(), "adam")
    model.evaluate({"x": [2.0, 3.0]})
    return model


def test_prior_before_anything_else():
    model = Chain()
    assert model.prior("x").sample(16).shape == (16, 1)
    assert model.prior("mu").sample().shape == ()
    both = model.prior(size=4).sample(3)
    assert {name: value.shape for name, value in both.items()} == {"mu": (3,), "x": (3, 4)}


def test_shapes(model):
    assert model.posterior("mu").sample().shape == ()
    assert model.posterior("mu").sample(7).shape == (7,)
    assert model.posterior(["mu"]).sample(7)["mu"].shape == (7,)
    assert model.posterior_predictive("x", size=5).sample(2).shape == (2, 5)
    assert model.posterior_predictive("x", {"x": np.zeros(9)}).sample(2).shape == (2, 9)


def test_same_seed_same_draws(model):
    query = model.posterior_predictive("x", size=3)
    assert np.array_equal(query.sample(4, seed=1), query.sample(4, seed=1))
    assert not np.array_equal(query.sample(4, seed=1), query.sample(4, seed=2))
    assert not np.array_equal(query.sample(4), query.sample(4))


def test_each_predictive_draw_has_its_own_posterior_draw(model):
    draws = model.posterior_predictive("x", size=1).sample(20_000, seed=0)[:, 0]
    # Var = 0.5² + 0.1²; the standard error of a standard deviation is sd / sqrt(2n).
    assert draws.std() == pytest.approx(0.26**0.5, abs=4 * 0.51 / np.sqrt(40_000))
    assert draws.mean() == pytest.approx(3.0, abs=4 * 0.51 / np.sqrt(20_000))
    pairs = model.posterior_predictive("x", size=2).sample(20_000, seed=0)
    assert np.cov(pairs.T)[0, 1] == pytest.approx(0.01, abs=0.008)


def test_moments_and_intervals(model):
    posterior = model.posterior("mu")
    assert posterior.mean() == pytest.approx(3.0)
    assert posterior.stddev() == pytest.approx(0.1)
    low, high = posterior.interval(0.9, num_samples=20_000, seed=0)
    assert [low, high] == pytest.approx(stats.norm(3, 0.1).interval(0.9), abs=0.01)
    prior = model.prior("x", size=2)
    assert prior.mean(20_000, seed=0) == pytest.approx(np.ones(2), abs=0.06)
    assert prior.stddev(20_000, seed=0) == pytest.approx(np.full(2, 4.25**0.5), rel=0.03)


def test_log_densities(model):
    prior = model.prior(["mu", "x"], size=2)
    values = {"mu": 0.5, "x": np.array([0.0, 1.0])}
    found = prior.log_prob(values)
    assert found["mu"] == pytest.approx(stats.norm(1, 2).logpdf(0.5), rel=1e-5)
    assert found["x"] == pytest.approx(stats.norm(0.5, 0.5).logpdf([0.0, 1.0]), rel=1e-5)
    total = stats.norm(1, 2).logpdf(0.5) + stats.norm(0.5, 0.5).logpdf([0.0, 1.0]).sum()
    assert prior.sum_log_prob(values) == pytest.approx(total, rel=1e-5)
    draws = prior.log_prob({"mu": np.array([0.5, 1.5]), "x": np.array([[0.0, 1.0], [2.0, 1.0]])})
    assert draws["x"][1] == pytest.approx(stats.norm(1.5, 0.5).logpdf([2.0, 1.0]), rel=1e-5)
    assert model.posterior("mu").log_prob(3.1) == pytest.approx(stats.norm(3, 0.1).logpdf(3.1), rel=1e-4)


def test_a_density_that_needs_more_values_says_which(model):
    with pytest.raises(kprob.errors.KprobError, match="also `mu`"):
        model.prior("x").log_prob(np.zeros(1))


def test_parameters(model):
    found = model.posterior("mu").parameters()
    assert found["loc"] == pytest.approx(3.0) and found["scale"] == pytest.approx(0.1)


def test_conditioning_a_prior():
    query = Chain().prior("x", {"mu": 100.0}, size=3)
    assert query.sample(5, seed=0) == pytest.approx(np.full((5, 3), 100.0), abs=3.0)


def test_predict_is_the_mean(model):
    assert model.predict({"x": np.zeros(4)}, num_samples=2000, seed=0) == pytest.approx(np.full(4, 3.0), abs=0.01)


def test_deterministic_sites_can_be_queried():
    @kprob.probmodel
    def network():
        z = kprob.sample("z", tfd.Normal(0.0, 1.0))
        kprob.deterministic("square", z**2)

    found = network().prior(["z", "square"]).sample(10, seed=0)
    assert found["square"] == pytest.approx(found["z"] ** 2)


def test_a_thousand_queries_neither_retrace_nor_pile_up(model):
    query = model.posterior("mu")
    query.sample(3)
    before = len(model.networks.programs.entries)
    for _ in range(1000):
        query.sample(3)
        model.posterior("mu")
    assert len(model.networks.programs.entries) == before
