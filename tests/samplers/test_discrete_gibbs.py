"""Discrete latents drawn, not summed out: against exact sums."""

import keras
import numpy as np
import pytest
from scipy import special, stats

import kprob
from kprob import tfd
from kprob.errors import CompileError, MismatchError

WEIGHTS, CENTRES = np.array([0.15, 0.3, 0.3, 0.25]), np.array([-2.0, 0.0, 2.0, 4.0])


@kprob.probmodel
def toy():
    c = kprob.sample("c", tfd.Categorical(probs=[0.15, 0.3, 0.3, 0.25]))
    kprob.sample("x", tfd.Normal(keras.ops.take(keras.ops.convert_to_tensor(CENTRES, "float32"), c), 0.5))


@kprob.probmodel
def cells():
    """A number of cells nobody counted, and a rate: n ~ Poisson(20), p ~ Beta(2, 2), y ~ Binomial(n, p)."""
    n = kprob.sample("n", tfd.Poisson(20.0))
    p = kprob.sample("p", tfd.Beta(2.0, 2.0))
    kprob.sample("y", tfd.Binomial(n, probs=p))


@kprob.probmodel
def per_row():
    """A Poisson latent for each row."""
    with kprob.plate("data"):
        k = kprob.sample("k", tfd.Poisson(4.0))
        kprob.sample("x", tfd.Normal(k, 1.5))


@kprob.probmodel
def two_kinds():
    """A sign and a difference of counts, which may be negative: s in {0, 1}, d ~ Skellam(3, 2), x ~ N(d + 4 s, 1)."""
    s = kprob.sample("s", tfd.Bernoulli(probs=0.3, dtype="int32"))
    d = kprob.sample("d", tfd.Skellam(3.0, 2.0))
    kprob.sample("x", tfd.Normal(d + 4.0 * keras.ops.cast(s, "float32"), 1.0))


def moments(values, log_weights):
    """Returns mean and variance of values with unnormalised log-weights."""
    weights = np.exp(log_weights - special.logsumexp(log_weights))
    mean = np.sum(weights * values)
    return mean, np.sum(weights * (values - mean) ** 2)


def agrees(draws, mean, variance, errors=4.5):
    """Whether draws (chains, n) have a mean and a variance, within standard errors that count autocorrelation in."""
    assert abs(draws.mean() - mean) < errors * kprob.diagnostics.mcse_mean(draws)
    assert abs(draws.std() - variance**0.5) < errors * kprob.diagnostics.mcse_sd(draws)


def test_the_toy():
    model = toy().compile(kprob.samplers.DiscreteGibbs(kprob.NUTS(300, 3000, 2, block_size=1000)))
    model.fit({}, verbose=0, check=False)
    draws = model.draws
    assert list(draws.sites) == ["c", "x"] and draws.values["c"].dtype == "int32"
    agrees(draws.values["x"].astype("float64"), 1.3, 4.36)
    for value, weight in enumerate(WEIGHTS):
        agrees((draws.values["c"] == value).astype("float64"), weight, weight * (1.0 - weight))
    # Each x beside its own c.
    away = draws.values["x"] - CENTRES[draws.values["c"]]
    assert abs(away.std() - 0.5) < 0.03 and abs(away.mean()) < 0.03


def test_a_poisson_latent_and_a_continuous_one():
    y, n = 6, np.arange(400)
    # p is Beta(2, 2), so that y is beta-binomial given n.
    log_weights = stats.poisson.logpmf(n, 20.0) + stats.betabinom.logpmf(y, n, 2, 2)
    p_mean = np.sum(np.exp(log_weights - special.logsumexp(log_weights)) * (2.0 + y) / (4.0 + n))
    model = cells().compile(kprob.samplers.DiscreteGibbs(kprob.NUTS(500, 3000, 2, block_size=1500), num_sweeps=2))
    model.fit({"y": float(y)}, verbose=0, check=False)
    draws = model.draws.values
    assert draws["n"].min() >= y
    agrees(draws["n"].astype("float64"), *moments(n, log_weights))
    assert abs(draws["p"].mean() - p_mean) < 4.5 * kprob.diagnostics.mcse_mean(draws["p"].astype("float64"))


def test_counts_near_zero_in_rows_and_going_on(tmp_path):
    # Half of the posterior lies at 0 and 1: a proposal that is thrown away, or reflected at 0, would be off.
    x = np.array([-1.0, 0.2, 3.0, 9.0], "float32")

    def fresh():
        sampler = kprob.samplers.DiscreteGibbs(kprob.NUTS(500, 2000, 2, block_size=500))
        model = per_row().compile(sampler)
        model.seed_generator.state.assign(np.full(model.seed_generator.state.shape, 5, "uint32"))
        return model

    model = fresh()
    model.fit({"x": x}, verbose=0, check=False)
    k = np.arange(100)
    for row, value in enumerate(x):
        exact = moments(k, stats.poisson.logpmf(k, 4.0) + stats.norm.logpdf(value, k, 1.5))
        agrees(model.draws.values["k"][..., row].astype("float64"), *exact)
    begun = fresh()
    begun.fit({"x": x}, epochs=3, verbose=0, check=False)
    begun.save(tmp_path / "model.h5")
    again = kprob.load_model(tmp_path / "model.h5", custom_objects={"per_row": per_row})
    assert again.sampler.get_config() == model.sampler.get_config()
    again.fit({"x": x}, epochs=2, verbose=0, check=False)
    np.testing.assert_array_equal(again.draws.values["k"], model.draws.values["k"])
    predicted = again.posterior_predictive("x", {"x": x}).sample(2000, seed=1)
    assert predicted[:, 2].std() > 1.5


def test_finite_and_infinite_ones_together_and_some_summed_out():
    d, s = np.meshgrid(np.arange(-40, 41), [0, 1])
    log_weights = stats.skellam.logpmf(d, 3.0, 2.0) + stats.bernoulli.logpmf(s, 0.3) + stats.norm.logpdf(2.5, d + 4 * s)
    exact = {"d": moments(d, log_weights), "s": moments(s, log_weights)}
    model = two_kinds().compile(kprob.samplers.DiscreteGibbs(kprob.samplers.HMC(500, 6000, 2, block_size=1000)))
    model.fit({"x": 2.5}, verbose=0, check=False)
    for name in ("d", "s"):
        agrees(model.draws.values[name].astype("float64"), *exact[name])
    model.compile(kprob.samplers.DiscreteGibbs(kprob.samplers.HMC(500, 3000, 2, block_size=1000), sites=["d"]))
    model.fit({"x": 2.5}, verbose=0, check=False)
    assert list(model.draws.sites) == ["d"]
    agrees(model.draws.values["d"].astype("float64"), *exact["d"])
    drawn = model.posterior("s", {"x": 2.5}).sample(4000, seed=0)
    assert drawn.mean() == pytest.approx(exact["s"][0], abs=0.04)


def test_large_counts_are_walked_in_large_steps():
    @kprob.probmodel
    def large():
        kprob.sample("n", tfd.Poisson(1e5))

    model = large().compile(kprob.samplers.DiscreteGibbs(kprob.NUTS(500, 1000, 2, block_size=500, init="prior")))
    model.fit({}, verbose=0, check=False)
    draws = model.draws.values["n"].astype("float64")
    agrees(draws, 1e5, 1e5)
    assert kprob.diagnostics.ess_bulk(draws) > 150  # steps of one would give next to none


def test_what_it_cannot_do():
    with pytest.raises(CompileError, match="alternates with a sampler whose transitions stay right"):
        kprob.samplers.DiscreteGibbs(kprob.samplers.MCLMC())
    with pytest.raises(CompileError, match="starts where discrete latents have a value"):
        kprob.samplers.DiscreteGibbs(kprob.NUTS(init="pathfinder"))

    @kprob.probmodel
    def continuous():
        kprob.sample("x", tfd.Normal(0.0, 1.0))

    with pytest.raises(CompileError, match="no discrete latent to move"):
        continuous().compile(kprob.samplers.DiscreteGibbs(kprob.NUTS(10, 10, 1))).fit({}, verbose=0)

    @kprob.probmodel
    def one_hot():
        kprob.sample("c", tfd.OneHotCategorical(probs=[0.5, 0.5]))

    with pytest.raises(MismatchError, match="its numbers depend on each other"):
        one_hot().compile(kprob.samplers.DiscreteGibbs(kprob.NUTS(10, 10, 1))).fit({}, verbose=0)
