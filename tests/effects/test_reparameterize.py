"""Reparameterised sites: other latents, the same distribution of the values."""

import keras
import numpy as np
import pytest
from scipy import stats

import kprob
from kprob import LocScale, Transform, handlers, tfd
from kprob.errors import SiteError

ops = keras.ops


def run(network, seed=1, num=None):
    network = handlers.seed(network, seed)
    return handlers.trace(network).get_trace()


def in_plate(distribution, size=4000):
    def network():
        with kprob.plate("draws", size):
            return kprob.sample("x", distribution())

    return network


@pytest.mark.parametrize("centered", [0.0, 0.3, 1.0])
def test_loc_scale_keeps_the_distribution(centered):
    network = handlers.reparam(in_plate(lambda: tfd.Normal(5.0, 2.0)), {"x": LocScale(centered)})
    trace = run(network)
    assert list(trace) == ["x_decentered", "x"] and trace["x"].is_deterministic
    assert stats.kstest(np.array(trace["x"].value), stats.norm(5.0, 2.0).cdf).pvalue > 1e-3
    latent = stats.norm(centered * 5.0, 2.0**centered)
    np.testing.assert_allclose(
        trace["x_decentered"].log_prob(), latent.logpdf(np.array(trace["x_decentered"].value)), rtol=1e-4
    )


def test_loc_scale_of_other_families():
    trace = run(handlers.reparam(in_plate(lambda: tfd.StudentT(5.0, 1.0, 3.0)), {"x": LocScale()}))
    assert stats.kstest(np.array(trace["x"].value), stats.t(5.0, 1.0, 3.0).cdf).pvalue > 1e-3


def test_a_non_centred_hierarchy_has_the_same_joint_density():
    # Change of variables: log p(x) = log p(noise) - log scale.
    def network():
        scale = kprob.sample("scale", tfd.LogNormal(0.0, 1.0))
        with kprob.plate("schools", 3):
            kprob.sample("x", tfd.Normal(1.0, scale))

    trace = run(handlers.reparam(network, {"x": LocScale()}))
    scale, x = float(trace["scale"].value), np.array(trace["x"].value)
    wanted = stats.lognorm(1.0).logpdf(scale) + (stats.norm(1.0, scale).logpdf(x) + np.log(scale)).sum()
    np.testing.assert_allclose(trace.log_prob(), wanted, rtol=1e-5)
    np.testing.assert_allclose(x, 1.0 + scale * np.array(trace["x_decentered"].value), rtol=1e-5)


def test_loc_scale_keeps_event_axes():
    network = handlers.reparam(
        lambda: kprob.sample("x", tfd.Independent(tfd.Normal(ops.zeros(3), ops.ones(3)), 1)), {"x": LocScale()}
    )
    trace = run(network)
    assert trace["x_decentered"].distribution.event_shape == (3,) and trace.log_prob().shape == ()


def test_transform_draws_the_base():
    trace = run(handlers.reparam(in_plate(lambda: tfd.LogNormal(1.0, 0.5)), {"x": Transform()}))
    assert list(trace) == ["x_base", "x"]
    np.testing.assert_allclose(trace["x"].value, np.exp(np.array(trace["x_base"].value)), rtol=1e-5)
    assert stats.kstest(np.array(trace["x_base"].value), stats.norm(1.0, 0.5).cdf).pvalue > 1e-3


def test_other_and_observed_sites_stay_as_they_are():
    def network():
        a = kprob.sample("a", tfd.Normal(0.0, 1.0))
        return kprob.sample("b", tfd.Normal(a, 2.0))

    trace = run(handlers.reparam(handlers.condition(network, {"b": 3.0}), {"b": LocScale(), "z": LocScale()}))
    assert list(trace) == ["a", "b"] and trace["b"].observed


@pytest.mark.parametrize(
    "config, distribution, words",
    [
        (LocScale(), lambda: tfd.Gamma(1.0, 1.0), "LocScale can't rewrite site `x`"),
        (Transform(), lambda: tfd.Normal(0.0, 1.0), "Transform can't rewrite site `x`"),
    ],
)
def test_what_can_not_be_rewritten_is_an_error(config, distribution, words):
    with pytest.raises(SiteError, match=words):
        run(handlers.reparam(in_plate(distribution), {"x": config}))


def test_a_reparameterised_site_can_not_be_observed_from_outside():
    network = handlers.reparam(in_plate(lambda: tfd.Normal(0.0, 1.0), 3), {"x": LocScale()})
    with pytest.raises(SiteError, match="`x` can't be observed: it follows from others"):
        run(handlers.condition(network, {"x": np.zeros(3)}))
