"""`do` inside a generative network: what it fixes is no latent of guide or sampler; and `reparam` of steps along time."""

import keras
import numpy as np
import pytest
from contracts import as_numpy
from scipy import stats

import kprob
from kprob import LocScale, Transform, handlers, tfd
from kprob.data import batch_of
from kprob.density import find_log_density
from kprob.engine import prepare_data

Y = np.array([0.3, -0.5, 1.2, 2.0], "float32")


def fixed():
    """a = 1 from outside, b ~ N(0, 1), x ~ N(a + b, 1)."""
    with handlers.do(values={"a": 1.0}):
        a = kprob.sample("a", tfd.Normal(0.0, 1.0))
    b = kprob.sample("b", tfd.Normal(0.0, 1.0))
    with kprob.plate("data"):
        kprob.sample("x", tfd.Normal(a + b, 1.0))


def test_what_is_fixed_is_no_latent_and_the_bound_is_the_evidence():
    def inference():  # the exact posterior of b
        kprob.sample("b", tfd.Normal(float(np.sum(Y - 1.0)) / 5.0, 5.0**-0.5))

    model = kprob.ProbabilisticModel(generative=fixed, inference=inference).compile(kprob.ELBO(), "adam")
    model.fit({"x": Y}, epochs=0, verbose=0)
    evidence = stats.multivariate_normal(np.ones(4), np.eye(4) + 1.0).logpdf(Y)
    assert model.evaluate({"x": Y}, verbose=0, return_dict=True)["elbo"] * 4 == pytest.approx(evidence, rel=1e-5)
    assert model.networks.spec.latents == ("b",)


def test_guide_and_sampler_leave_out_what_is_fixed():
    model = kprob.ProbabilisticModel(generative=fixed).compile(kprob.ELBO(), "adam")
    model.fit({"x": Y}, epochs=0, verbose=0)
    assert list(model.guide.latents) == ["b"]
    batch = batch_of(prepare_data(model.networks, {"x": Y}))
    density = find_log_density(model.networks, batch)
    assert [latent.name for latent in density.latents] == ["b"]
    b = 0.4
    expected = stats.norm.logpdf(b) + stats.norm(1.0 + b, 1.0).logpdf(Y).sum()
    assert float(density(keras.ops.convert_to_tensor([b], dtype="float32"), batch)) == pytest.approx(expected, rel=1e-5)
    assert (model.prior("a").sample(3) == 1.0).all()
    assert set(model.posterior().sample()) == {"b"}


def test_a_discrete_site_that_is_fixed_is_not_summed_out():
    def generative():
        with handlers.do(values={"coin": 1}):
            coin = kprob.sample("coin", tfd.Bernoulli(probs=0.3))
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(keras.ops.cast(coin, "float32"), 1.0))

    model = kprob.ProbabilisticModel(generative=generative).compile(kprob.ELBO(), "adam")
    model.fit({"x": Y}, epochs=0, verbose=0)
    assert model.networks.spec.summed == ()
    expected = stats.norm(1.0, 1.0).logpdf(Y).sum()
    assert model.evaluate({"x": Y}, verbose=0, return_dict=True)["elbo"] * 4 == pytest.approx(expected, rel=1e-5)


def walk():
    """s_t ~ N(0.9 s_t-1, 2), y_t ~ N(s_t, 1)."""

    def step(previous, t):
        s = kprob.sample("s", tfd.Normal(0.9 * previous, 2.0))
        kprob.sample("y", tfd.Normal(s, 1.0))
        return s

    return kprob.scan(step, 0.5, 4)


def path(noise, centered=0.0):
    """The walk that noise makes."""
    s, states = 0.5, []
    for e in noise:
        loc = 0.9 * s
        s = loc + 2.0 ** (1.0 - centered) * (e - centered * loc)
        states.append(s)
    return np.array(states)


@pytest.mark.parametrize("centered", [0.0, 0.5])
def test_sites_of_a_scan_in_another_form(centered):
    noise = np.array([0.5, -1.0, 0.25, 2.0], "float32")
    network = handlers.reparam(walk, {"s": LocScale(centered)})
    given = handlers.substitute(handlers.condition(network, {"y": Y}), {"s_decentered": noise})
    trace = handlers.trace(given).get_trace()
    states = path(noise, centered)
    np.testing.assert_allclose(as_numpy(trace["s"].value), states, rtol=1e-5)
    assert trace["s"].is_deterministic
    before = 0.9 * np.array([0.5, *states[:-1]])
    expected = stats.norm(centered * before, 2.0**centered).logpdf(noise).sum() + stats.norm(states).logpdf(Y).sum()
    assert float(trace.log_prob()) == pytest.approx(expected, rel=1e-5)


def test_a_prior_draw_of_a_scan_in_another_form():
    trace = handlers.trace(handlers.seed(handlers.reparam(walk, {"s": LocScale()}), 1)).get_trace()
    np.testing.assert_allclose(as_numpy(trace["s"].value), path(as_numpy(trace["s_decentered"].value)), rtol=1e-5)


def test_a_model_whose_scan_runs_in_another_form():
    model = kprob.ProbabilisticModel(generative=walk).compile(kprob.ELBO(), "adam", reparam={"s": LocScale()})
    model.fit({"y": Y}, epochs=1, verbose=0)
    assert model.networks.spec.latents == ("s_decentered",)
    drawn = model.posterior(["s", "s_decentered"]).sample(3)
    for states, noise in zip(drawn["s"], drawn["s_decentered"], strict=True):
        np.testing.assert_allclose(states, path(noise), rtol=1e-4)
    density = find_log_density(model.networks, batch_of(prepare_data(model.networks, {"y": Y})))
    assert [latent.name for latent in density.latents] == ["s_decentered"]


def hierarchy():
    """mu ~ N(0, 1), theta ~ N(mu, 2), tau ~ LogNormal(mu, 0.5), x ~ N(theta, tau)."""
    mu = kprob.sample("mu", tfd.Normal(0.0, 1.0))
    theta = kprob.sample("theta", tfd.Normal(mu, 2.0))
    tau = kprob.sample("tau", tfd.LogNormal(mu, 0.5))
    with kprob.plate("data"):
        kprob.sample("x", tfd.Normal(theta, tau))


@pytest.fixture(scope="module")
def rewritten():
    reparam = {"theta": LocScale(0.25), "tau": Transform()}
    model = kprob.ProbabilisticModel(generative=hierarchy).compile(kprob.ELBO(), "adam", reparam=reparam)
    model.fit({"x": Y}, epochs=0, verbose=0)
    return model


VALUES = {"mu": 0.4, "theta": -0.3, "tau": 1.7}


def test_densities_of_rewritten_sites_under_p(rewritten):
    found = rewritten.prior(["theta", "tau"]).log_prob(VALUES)
    assert found["theta"] == pytest.approx(stats.norm(0.4, 2.0).logpdf(-0.3), rel=1e-5)
    assert found["tau"] == pytest.approx(stats.lognorm(0.5, scale=np.exp(0.4)).logpdf(1.7), rel=1e-5)
    found = rewritten.posterior_predictive("x", {"x": Y}).log_prob(VALUES)
    np.testing.assert_allclose(found, stats.norm(-0.3, 1.7).logpdf(Y), rtol=1e-5)


def test_densities_of_rewritten_sites_under_q(rewritten):
    found = rewritten.posterior(["mu", "theta", "tau"]).log_prob(VALUES)
    c = 0.25
    noise = c * 0.4 + (-0.3 - 0.4) / 2.0 ** (1.0 - c)
    latents = {"mu": 0.4, "theta_decentered": noise, "tau_base": np.log(1.7)}
    own = rewritten.posterior(["mu", "theta_decentered", "tau_base"]).log_prob(latents)
    assert found["mu"] == pytest.approx(own["mu"], rel=1e-5)
    assert found["theta"] == pytest.approx(own["theta_decentered"] - (1.0 - c) * np.log(2.0), rel=1e-4)
    assert found["tau"] == pytest.approx(own["tau_base"] - np.log(1.7), rel=1e-4)


def test_a_rewritten_site_without_a_value_is_asked_for_by_its_name(rewritten):
    with pytest.raises(kprob.errors.KprobError, match="also `theta`"):
        rewritten.posterior("tau").log_prob({"mu": 0.4, "tau": 1.0})


def test_densities_are_those_of_the_values_that_came():
    # Of the data where no values are given; and given values stand before the data.
    def generative():
        mu = kprob.sample("mu", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(mu, 1.0))

    model = kprob.ProbabilisticModel(generative=generative).compile(kprob.ELBO(), "adam")
    model.fit({"x": Y}, epochs=0, verbose=0)
    expected = stats.norm(0.5, 1.0)
    for query in (model.prior("x", {"x": Y}), model.posterior_predictive("x", {"x": Y})):
        np.testing.assert_allclose(query.log_prob({"mu": 0.5}), expected.logpdf(Y), rtol=1e-5)
        np.testing.assert_allclose(query.log_prob({"mu": 0.5, "x": Y + 1.0}), expected.logpdf(Y + 1.0), rtol=1e-5)
