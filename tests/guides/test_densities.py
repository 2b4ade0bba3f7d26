"""The log-densities of the sites of a joint guide sum to the joint density, computed another way."""

import keras
import numpy as np
import pytest
from guides import guided_models
from scipy import stats

import kprob
from kprob import backend, guides, layers, tfd
from kprob.guides.flows.splines import spline_forward, spline_inverse, spline_numbers
from kprob.guides.running.guide_run import GuideRun


@kprob.probmodel
def three():
    """Real latents only, one of them in a plate and one a vector."""
    a = kprob.sample("a", tfd.Normal(0.0, 1.0))
    with kprob.plate("pair", 2):
        b = kprob.sample("b", tfd.Normal(a, 1.0))
    c = kprob.sample("c", tfd.MultivariateNormalDiag([0.0, 0.0], [1.0, 1.0]))
    kprob.sample("x", tfd.Normal(keras.ops.sum(b) + c[0], 1.0))


def fitted(guide):
    model = three(inference=guide).compile(kprob.ELBO(), "adam")
    model.evaluate({"x": 1.0}, verbose=0)
    return guided_models.moved(model, 0.3 if not isinstance(guide, guides.RealNVP | guides.NeuralSplineFlow) else 0.1)


def draws_and_density(model):
    found = model.posterior().sample(6, seed=1)
    density = model.posterior().log_prob(found)
    assert density["b"].shape == (6, 2)
    flat = np.concatenate([found["a"][:, None], found["b"], found["c"]], axis=1)
    return flat, density["a"] + density["b"].sum(1) + density["c"]


@pytest.mark.parametrize("guide", [guides.MultivariateNormal, lambda: guides.LowRankMultivariateNormal(2)])
def test_joint_normal(guide):
    model = fitted(guide())
    draws, density = draws_and_density(model)
    q, run = model.guide, GuideRun({}, None)
    block = q.blocks["a"]
    if isinstance(q, guides.MultivariateNormal):
        loc, tril = (keras.ops.convert_to_numpy(part) for part in q._loc_and_tril(block, run))
        covariance = tril @ tril.T
    else:
        loc, factor, scale = (keras.ops.convert_to_numpy(part) for part in q._loc_factor_scale(block, run))
        covariance = factor @ factor.T + np.diag(scale**2)
    expected = stats.multivariate_normal(loc, covariance).logpdf(draws)
    np.testing.assert_allclose(density, expected, rtol=1e-4, atol=1e-4)
    many = model.posterior().sample(3000, seed=2)
    flat = np.concatenate([many["a"][:, None], many["b"], many["c"]], axis=1)
    assert np.abs(np.corrcoef(flat.T)).max() > 0.05
    np.testing.assert_allclose(np.cov(flat.T), covariance, atol=0.1 * np.diag(covariance).max())
    spread = q.quantiles([stats.norm.cdf(1.0)])["b"][0] - q.median()["b"]
    np.testing.assert_allclose(spread, np.sqrt(np.diag(covariance)[1:3]), rtol=1e-4)


@pytest.mark.parametrize("name", guided_models.FLOWS)
def test_flow(name):
    # The density of noise over the determinant of the Jacobian, found by differentiating.
    model = fitted(guided_models.GUIDES[name]())
    draws, density = draws_and_density(model)
    q = model.guide
    block = q.blocks["a"]

    def image(noise):
        return q.transform(block, GuideRun({}, None), noise)[0]

    for vector, found in zip(draws[:2], density, strict=False):
        noise, _ = q.recover(block, GuideRun({}, None), keras.ops.convert_to_tensor(vector))
        rows = [backend.gradients(lambda z, i=i: image(z)[i], noise)[1][0] for i in range(5)]
        determinant = np.linalg.slogdet(np.stack([keras.ops.convert_to_numpy(row) for row in rows]))[1]
        expected = stats.norm.logpdf(keras.ops.convert_to_numpy(noise)).sum() - determinant
        assert found == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("name", guided_models.FLOWS)
def test_a_flow_is_not_given_part_of_its_latents(name):
    model = fitted(guided_models.GUIDES[name]())
    with pytest.raises(kprob.errors.MismatchError, match="draws its latents together"):
        model.posterior("a").log_prob(0.0)


def test_splines_are_monotone_and_inverted_and_start_at_the_identity():
    generator = np.random.RandomState(0)
    raw = generator.normal(size=(200, spline_numbers(6))).astype("float32")
    x = np.sort(generator.uniform(-5, 5, size=200)).astype("float32")
    y, slope = (keras.ops.convert_to_numpy(v) for v in spline_forward(x, raw, 6, 3.0))
    back, again = (keras.ops.convert_to_numpy(v) for v in spline_inverse(y, raw, 6, 3.0))
    np.testing.assert_allclose(back, x, atol=2e-3)
    np.testing.assert_allclose(again, slope, atol=2e-2)
    x = np.linspace(-5, 5, 4001).astype("float32")
    raw = np.repeat(raw[:1], len(x), 0)
    y, slope = (keras.ops.convert_to_numpy(v) for v in spline_forward(x, raw, 6, 3.0))
    assert (np.diff(y) > 0).all()
    steps = np.exp((slope[1:] + slope[:-1]) / 2) * np.diff(x)
    np.testing.assert_allclose(np.diff(y), steps, rtol=0.15)
    same, slope = (keras.ops.convert_to_numpy(v) for v in spline_forward(x, 0 * raw, 6, 3.0))
    np.testing.assert_allclose(same, x, atol=1e-5)
    np.testing.assert_allclose(slope, 0.0, atol=1e-5)


def test_outputs_of_an_autoregressive_network_depend_on_earlier_inputs_only():
    network = layers.AutoregressiveNetwork(2, (7, 5))
    network.build((None, 4))
    for variable in network.trainable_variables:
        variable.assign(np.random.RandomState(0).normal(size=variable.shape))
    x = np.random.RandomState(1).normal(size=4).astype("float32")
    base = keras.ops.convert_to_numpy(network(x[None]))[0]
    for i in range(4):
        other = x.copy()
        other[i] += 1.0
        changed = np.any(keras.ops.convert_to_numpy(network(other[None]))[0] != base, axis=1)
        assert changed.tolist() == [j > i for j in range(4)]
    assert keras.ops.convert_to_numpy(network(x[None])).shape == (1, 4, 2)
    again = layers.AutoregressiveNetwork.from_config(network.get_config())
    assert again.get_config() == network.get_config()


def test_a_coupling_network_of_an_empty_vector_is_constant():
    network = layers.CouplingNetwork(2, 3)
    assert network(np.zeros((4, 0), "float32")).shape == (4, 2, 3)
    again = layers.CouplingNetwork.from_config(network.get_config())
    assert again.get_config() == network.get_config()


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: layers.AutoregressiveNetwork(0), "`num_outputs` must be a positive int"),
        (lambda: layers.CouplingNetwork(2, 0), "`num_outputs` must be a positive int"),
        (lambda: guides.LowRankMultivariateNormal(rank=0), "`rank` must be a positive int"),
        (lambda: guides.RealNVP(num_steps=0), "`num_steps` must be a positive int"),
    ],
)
def test_numbers_that_are_none(make, match):
    with pytest.raises(kprob.errors.KprobError, match=match):
        make()
