"""Where chains start: along an optimiser's path, and at a fitted guide."""

import numpy as np
import pytest

import kprob
from kprob import tfd
from kprob.errors import CompileError
from kprob.samplers.chains.pathfinder import pathfinder


@kprob.probmodel
def unknown_mean():
    mu = kprob.sample("mu", tfd.Normal(0.0, 10.0))
    scale = kprob.sample("scale", tfd.HalfNormal(5.0))
    with kprob.plate("data"):
        kprob.sample("x", tfd.Normal(mu, scale))


X = np.random.default_rng(0).normal(30.0, 0.1, 500)


def test_pathfinder_finds_a_normal_density():
    matrix = np.random.default_rng(1).normal(size=(5, 5))
    precision, centre = matrix @ matrix.T + np.eye(5), np.arange(5.0)

    def evaluate(x):
        away = x - centre
        return -0.5 * away @ precision @ away, -precision @ away

    found = pathfinder(evaluate, np.full(5, -3.0), np.random.default_rng(2))
    assert found.mean == pytest.approx(centre, abs=0.05)
    assert found.factor @ found.factor.T == pytest.approx(np.linalg.inv(precision), abs=0.15)
    exact = 2.5 * np.log(2.0 * np.pi) - 0.5 * np.linalg.slogdet(precision)[1]
    assert found.elbo == pytest.approx(exact, abs=0.3)


def test_pathfinder_ends_without_an_approximation_where_nothing_rises():
    assert pathfinder(lambda x: (0.0, np.zeros(2)), np.ones(2), np.random.default_rng(0)) is None


def test_chains_start_where_pathfinder_ends():
    sampler = kprob.samplers.HMC(0, 1, 2, step_size=1e-6, num_leapfrog_steps=1, init="pathfinder")
    model = unknown_mean().compile(sampler)
    model.fit({"x": X}, verbose=0)
    assert np.abs(model.draws.values["mu"] - X.mean()).max() < 0.05
    assert np.abs(model.draws.values["scale"] - X.std()).max() < 0.05


def test_chains_start_at_the_fitted_guide():
    model = unknown_mean().compile(kprob.ELBO(), "adam")
    with pytest.raises(CompileError, match='init="guide"'):
        unknown_mean().compile(kprob.samplers.HMC(0, 1, 1, init="guide")).fit({"x": X}, verbose=0)
    model.fit({"x": X}, epochs=1, verbose=0)
    model.guide.parameters["mu_loc"].assign(29.5)
    model.guide.parameters["mu_scale"].assign(-7.0)  # softplus of it is 0.0009
    model.compile(kprob.samplers.HMC(0, 1, 2, step_size=1e-6, num_leapfrog_steps=1, init="guide"))
    model.fit({"x": X}, verbose=0)
    assert np.abs(model.draws.values["mu"] - 29.5).max() < 0.01
