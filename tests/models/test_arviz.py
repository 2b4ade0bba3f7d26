"""What is said of a fit: ArviZ's view of it, and the diagnosis of a sampler's run."""

import sys

import keras
import numpy as np
import pytest

import kprob
from kprob import tfd
from kprob.errors import KprobError
from kprob.samplers import Info
from kprob.samplers.chains.draws import Draws

arviz = pytest.importorskip("arviz")

X = np.array([1.0, 2.0, 4.0], "float32")
Y = np.array([[1.0, 2.5], [2.0, 3.5], [4.5, 9.0]], "float32")


@kprob.probmodel
def lines(x):
    """Two lines through the origin, and what is twice their slopes."""
    with kprob.plate("lines", 2):
        slope = kprob.sample("slope", tfd.Normal(0.0, 5.0))
        kprob.deterministic("twice", 2.0 * slope)
    with kprob.plate("data"), kprob.plate("lines", 2):
        kprob.sample("y", tfd.Normal(x[:, None] * slope, 1.0))


@pytest.fixture(scope="module")
def sampled():
    keras.utils.set_random_seed(3)
    model = lines().compile(kprob.samplers.HMC(100, 300, 2, num_leapfrog_steps=3, block_size=100))
    model.fit({"x": X, "y": Y}, verbose=0)
    return model


@pytest.fixture(scope="module")
def found(sampled):
    return sampled.to_arviz({"x": X, "y": Y}, coords={"lines": ["first", "second"]}, seed=1)


def groups_of(found):
    """The groups of an `InferenceData`, or (since ArviZ 1.0) of a `DataTree`."""
    return set(found.groups()) if callable(found.groups) else {name.strip("/") for name in found.groups}


def test_groups_and_dimensions(sampled, found):
    assert groups_of(found) >= {
        "posterior", "prior", "posterior_predictive", "prior_predictive", "log_likelihood", "sample_stats",
        "observed_data", "constant_data",
    }  # fmt: skip
    assert found.posterior["slope"].dims == ("chain", "draw", "lines")
    assert found.posterior["slope"].coords["lines"].values.tolist() == ["first", "second"]
    assert found.log_likelihood["y"].dims == ("chain", "draw", "data", "lines")
    assert found.posterior_predictive["y"].shape == (2, 300, 3, 2)
    assert found.observed_data["y"].dims == ("data", "lines")
    assert found.constant_data["x"].dims == ("data",)
    assert found.prior["slope"].shape == (1, 500, 2)
    assert found.prior_predictive["y"].shape == (1, 500, 3, 2)
    np.testing.assert_array_equal(found.posterior["slope"], sampled.draws.values["slope"])
    np.testing.assert_allclose(found.posterior["twice"], 2 * found.posterior["slope"], rtol=1e-6)
    assert found.sample_stats["diverging"].dtype == bool and found.sample_stats["lp"].shape == (2, 300)


def test_every_number_belongs_to_its_draw(found):
    mean = X[:, None] * found.posterior["slope"].values[:, :, None, :]
    right = -0.5 * (Y - mean) ** 2 - 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(found.log_likelihood["y"], right, rtol=1e-4, atol=1e-4)
    noise = found.posterior_predictive["y"].values - mean  # N(0, 1) where each prediction has its own draw
    assert abs(noise.mean()) < 0.1 and abs(noise.std() - 1) < 0.05


def test_arviz_takes_it(found, sampled):
    table = arviz.summary(found, var_names=["slope"], round_to="none")
    precision = (X**2).sum() + 1 / 25  # conjugate
    np.testing.assert_allclose(table["mean"], (X @ Y) / precision, atol=0.05)
    ours = sampled.diagnose().table
    np.testing.assert_allclose([ours[f"slope[{k}]"]["ess_bulk"] for k in (0, 1)], table["ess_bulk"], atol=1)
    np.testing.assert_allclose([ours[f"slope[{k}]"]["rhat"] for k in (0, 1)], table["r_hat"], atol=0.006)
    loo = arviz.loo(found)
    assert loo.n_data_points == 6 and np.isfinite(loo.elpd if hasattr(loo, "elpd") else loo.elpd_loo)
    assert arviz.plot_trace(found, var_names=["slope"]) is not None


@pytest.mark.filterwarnings("ignore::UserWarning")  # of Pareto shapes: few data, one of them far out
def test_compare_finds_the_better_model(found):
    @kprob.probmodel
    def constant():
        level = kprob.sample("level", tfd.Normal(0.0, 5.0))
        with kprob.plate("data"), kprob.plate("lines", 2):
            kprob.sample("y", tfd.Normal(level, 1.0))

    model = constant().compile(kprob.ELBO(), keras.optimizers.Adam(0.05))  # VI and MCMC side by side
    model.fit({"y": Y}, epochs=300, batch_size=3, verbose=0)
    other = model.to_arviz({"y": Y}, num_samples=400, num_prior_samples=0, seed=1)
    assert other.posterior["level"].shape == (1, 400) and "prior" not in groups_of(other)
    assert set(other.sample_stats) == {"lp", "log_q"}
    # The weights log p - log q have the evidence as their mean.
    weights = (other.sample_stats["lp"] - other.sample_stats["log_q"]).values
    evidence = np.logaddexp.reduce(weights.ravel()) - np.log(weights.size)
    covariance = np.eye(6) + 25.0
    exact = -0.5 * (Y.ravel() @ np.linalg.solve(covariance, Y.ravel()) + np.linalg.slogdet(2 * np.pi * covariance)[1])
    assert abs(evidence - exact) < 0.2
    ranking = arviz.compare({"lines": found, "constant": other})
    assert ranking.index[0] == "lines"


def test_fewer_draws(sampled):
    some = sampled.to_arviz({"x": X, "y": Y}, num_samples=50, num_prior_samples=0)
    assert some.posterior["slope"].shape == (2, 25, 2)
    assert set(some.sample_stats) == {"lp"}


@pytest.mark.slow
def test_plate_with_a_variables_name():
    @kprob.probmodel
    def model():
        with kprob.plate("x", 3):
            kprob.sample("x", tfd.Normal(kprob.sample("z", tfd.Normal(0.0, 1.0)), 1.0))

    made = model().compile(kprob.ELBO(), "adam")
    made.fit({"x": X}, epochs=2, verbose=0)
    assert made.to_arviz({"x": X}, 20).log_likelihood["x"].dims == ("chain", "draw", "x_plate")


def test_without_arviz(sampled, monkeypatch):
    monkeypatch.setitem(sys.modules, "arviz", None)
    with pytest.raises(KprobError, match=r'(?s)needs ArviZ.*pip install "kprob\[arviz\]"'):
        sampled.to_arviz({"x": X, "y": Y})


def test_log_likelihood_needs_observations(sampled):
    with pytest.raises(KprobError, match="needs observed values"):
        sampled.log_likelihood({"x": X})


def draws_of(**options):
    """A made-up run of two latents, good unless `options` say otherwise: its diagnosis is known."""
    chains, number = 4, 500
    generator = np.random.default_rng(0)
    tau, theta = generator.normal(size=(chains, number)), generator.normal(size=(chains, number, 2))
    told = dict.fromkeys(Info._fields, np.ones((chains, number)))
    told["diverging"] = np.zeros((chains, number))
    told["tree_depth"] = np.full((chains, number), options.get("depth", 3))
    told["energy"] = generator.normal(size=(chains, number))
    if "divergent" in options:
        told["diverging"] = (tau < -2).astype(float)
    if "apart" in options:
        theta[0, :, 1] += 1.0
    if "slow" in options:
        tau = np.cumsum(tau, axis=1) / 50 - np.cumsum(tau, axis=1).mean(1, keepdims=True) / 50
    if "heavy" in options:
        told["energy"] = np.cumsum(told["energy"], axis=1)
    positions = np.concatenate([tau[..., None], theta], axis=-1)
    sites = {"tau": (), "theta": (2,)}
    infos = np.stack([told[name] for name in Info._fields], axis=-1)
    return Draws(positions, infos, {"tau": tau, "theta": theta}, [], [], number, number, sites)


def diagnosis(**options):
    model = lines().compile(kprob.NUTS(max_tree_depth=10))
    model._state.context.draws = draws_of(**options)
    return model.diagnose()


def test_a_good_run():
    found = diagnosis()
    assert found.good and found.advice == ""
    assert "Nothing speaks against" in str(found)
    assert list(found.table) == ["tau", "theta[0]", "theta[1]"]
    row = found.table["theta[0]"]
    assert abs(row["mean"]) < 0.1 and abs(row["sd"] - 1) < 0.05 and abs(row["5%"] + 1.645) < 0.15
    assert abs(row["mcse_mean"] - 1 / np.sqrt(2000)) < 0.004 and row["rhat"] < 1.01
    assert "theta[1]" in str(found) and "ess_tail" in str(found) and "4 chains of 500 draws, 0 divergent" in str(found)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"divergent": True}, ("diverged", "`tau`", "non-centred", "target_accept_rate")),
        ({"apart": True}, ("R-hat", "`theta[1]`", "don't agree")),
        ({"slow": True}, ("fewer than 400 effective draws", "`tau`")),
        ({"heavy": True}, ("E-BFMI", "chain 0, 1, 2, 3")),
        ({"depth": 10}, ("100% of the trajectories", "max_tree_depth", "dense_mass")),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_what_is_wrong_is_said(options, words):
    found = diagnosis(**options)
    assert not found.good and "Don't trust this run" in str(found)
    for word in words:
        assert word in found.advice, found.advice
    blamed = {name for name in ("`tau`", "`theta[0]`", "`theta[1]`", "`theta`") if name in found.advice}
    assert blamed == {word for word in words if word.startswith("`")}
