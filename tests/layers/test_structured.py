"""Mixtures, hidden Markov models, Gaussian processes, transformed variables: right answers of their own."""

import keras
import numpy as np
import pytest
from contracts import as_numpy, compiled
from keras import ops
from scipy import special, stats

from kprob import backend, distributions, layers, tfb, tfd
from kprob.errors import ArchiveError, SiteError
from kprob.saving import register

SENSORS = [18, 18.7, 19.2, 17.8, 20.3, 22.4, 20.3, 21.2, 19.5, 20.1]


def at(value):
    return ops.convert_to_tensor(value, dtype="float32")


def test_a_mixture_is_tfps_gradients_included():
    x = at([-1.0, 0.3, 2.0, 5.0])

    def ours(logits, loc, scale):
        return ops.sum(layers.Mixture("Normal").distribution(logits=logits, loc=loc, scale=scale).log_prob(x))

    def theirs(logits, loc, scale):
        mixture = tfd.MixtureSameFamily(tfd.Categorical(logits=logits), tfd.Normal(loc, scale))
        return ops.sum(mixture.log_prob(x))

    given = at([0.1, -0.5, 1.0]), at([-2.0, 0.0, 3.0]), at([1.0, 0.5, 2.0])
    (value, found), (right, expected) = backend.gradients(ours, *given), backend.gradients(theirs, *given)
    np.testing.assert_allclose(float(value), float(right), rtol=1e-5)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(as_numpy(one), as_numpy(other), rtol=1e-5, atol=1e-6)


def test_a_mixture_of_vectors_has_one_component_for_the_whole_vector():
    mixture = layers.Mixture("Normal", 2, probs=[0.25, 0.75], loc=[[0.0, 0.0], [3.0, 3.0]], scale=1.0)
    x = np.array([[0.0, 0.5], [3.0, 2.0], [0.0, 3.0]])
    parts = [np.log(p) + stats.norm.logpdf(x, m).sum(-1) for p, m in ((0.25, 0.0), (0.75, 3.0))]
    found = as_numpy(mixture.distribution().log_prob(at(x)))
    np.testing.assert_allclose(found, special.logsumexp(parts, axis=0), rtol=1e-4)
    draws = as_numpy(distributions.draw(mixture.distribution(), (5000,), backend.random.seed(0)))
    # Both elements come from the same component: Cov = 0.25 * 0.75 * 9, to 5 standard errors.
    assert abs(np.cov(draws.T)[0, 1] - 1.6875) < 5 * 2.7 / np.sqrt(5000)
    assert abs((draws[:, 0] > 1.5).mean() - (0.75 * stats.norm.cdf(1.5) + 0.25 * stats.norm.sf(1.5))) < 0.03


def test_a_mixture_of_categories():
    # The known answer: c ~ Categorical, x ~ N(mean of c, 0.5) has mean 1.3 and variance 4.36.
    x = layers.Mixture("Normal", probs=[0.15, 0.3, 0.3, 0.25], loc=[-2.0, 0.0, 2.0, 4.0], scale=0.5)
    assert abs(float(x.distribution().mean()) - 1.3) < 1e-5 and abs(float(x.distribution().variance()) - 4.36) < 1e-4
    labels = layers.Mixture("Categorical", probs=[0.5, 0.5], component_probs=[[1.0, 0.0], [0.5, 0.5]])
    np.testing.assert_allclose(as_numpy(labels.distribution().prob(np.array([0, 1]))), [0.75, 0.25], rtol=1e-5)
    assert keras.backend.standardize_dtype(labels().dtype) == "int32"


def test_components_of_a_learned_mixture_start_apart():
    mixture = layers.Mixture("Normal", num_components=3, loc="learned", scale="learned", logits="learned")
    mixture.build()
    assert len(np.unique(as_numpy(mixture.free["loc"]))) == 3


@pytest.mark.parametrize("family", [layers.Gamma, "Dirichlet", tfd.MultivariateNormalTriL, tfd.Skellam])
def test_mixtures_of_other_families(family):
    given = {
        layers.Gamma: {"concentration": [1.0, 2.0]},
        "Dirichlet": {"concentration": [[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]]},
        tfd.MultivariateNormalTriL: {"loc": [[0.0, 0.0], [1.0, 1.0]]},
        tfd.Skellam: {"rate1": [1.0, 2.0], "rate2": [3.0, 1.0]},
    }[family]
    if family is tfd.Skellam:
        with pytest.raises(SiteError, match="Skellam can't be"):
            layers.Mixture(family)
        return
    mixture = layers.Mixture(family, {"Dirichlet": 3, tfd.MultivariateNormalTriL: 2}.get(family), **given)
    value = mixture()
    assert np.isfinite(as_numpy(mixture.distribution().log_prob(value)))


def test_rows_of_a_mixture_density_network():
    layer = layers.Mixture("Normal", 2, num_components=4)
    value = layer(np.ones((5, 3), "float32"))
    assert tuple(value.shape) == (5, 2)
    assert {name: tuple(head.kernel.shape) for name, head in layer.heads.items()} == {
        "logits": (3, 4),
        "loc": (3, 8),
        "scale": (3, 8),
    }


def test_the_hidden_markov_chain_of_the_sensors():
    chain = layers.HiddenMarkovModel(
        "Normal", 10, initial_probs=[0.6, 0.4], transition_probs=[[0.8, 0.2], [0.3, 0.7]], loc=[18.0, 21.0], scale=1.0
    )
    np.testing.assert_allclose(float(chain.distribution().log_prob(at(SENSORS))), -17.355516, rtol=1e-5)
    assert tuple(chain().shape) == (10,)


def test_a_chain_of_vectors_in_rows():
    chain = layers.HiddenMarkovModel("Normal", (4, 2), num_states=3)
    value = chain(loc=ops.zeros((5, 3, 2)))
    assert tuple(value.shape) == (5, 4, 2)
    with pytest.raises(SiteError, match="needs to know its number of steps"):
        layers.HiddenMarkovModel("Normal")


def test_the_state_space_model_keeps_long_series_in_bounds():
    layer = layers.LinearGaussianStateSpace(
        (200, 1), transition_matrix=[[0.9]], observation_matrix=[[1.0]], transition_scale_diag=[0.1]
    )
    values = as_numpy(distributions.draw(layer.distribution(), (2000,), backend.random.seed(1)))[..., 0]
    # The stationary variance, 0.01 / (1 - 0.81), plus the noise of the observation.
    assert abs(values[:, -1].var() - (0.01 / 0.19 + 1.0)) < 5 * 1.05 * np.sqrt(2 / 2000)
    # Neighbours share the state: Cov = 0.9 * 0.01 / 0.19.
    assert abs(np.cov(values[:, -2:].T)[0, 1] - 0.9 * 0.01 / 0.19) < 5 * 1.05 / np.sqrt(2000)


@register
def _sum_of_kernels(amplitude, length_scale):
    kernels = backend.tfp.math.psd_kernels
    return kernels.MaternOneHalf(amplitude, length_scale) + kernels.Linear()


def test_kernels_of_gaussian_processes():
    points = [[0.0], [1.0]]
    matern = layers.GaussianProcess(kernel="MaternOneHalf", index_points=points, amplitude=2.0, length_scale=0.5)
    cov = as_numpy(matern.distribution().covariance())
    np.testing.assert_allclose(cov, [[4.0, 4 * np.exp(-2)], [4 * np.exp(-2), 4.0]], rtol=1e-4)
    own = layers.GaussianProcess(kernel=_sum_of_kernels, index_points=points)
    cov = as_numpy(own.distribution().covariance())
    np.testing.assert_allclose(cov[1, 1], 2.0, rtol=1e-4)
    again = layers.GaussianProcess.from_config(own.get_config())
    np.testing.assert_allclose(as_numpy(again.distribution().covariance()), cov)
    with pytest.raises(SiteError, match="no kernel called 'Matern52'"):
        layers.GaussianProcess(kernel="Matern52", index_points=points)()


BIJECTORS = [
    ("Exp", ()),
    (["Exp", "Sigmoid"], ()),
    (lambda: tfb.Chain([tfb.Shift(2.0), tfb.Scale(3.0)]), ()),
    (lambda: tfb.SinhArcsinh(skewness=0.5), (2,)),
    (lambda: tfb.IteratedSigmoidCentered(), (3,)),
    (lambda: tfb.Permute([1, 0]), (2,)),
]


@pytest.mark.parametrize(("bijector", "event"), BIJECTORS)
def test_transformed_variables_are_saved_with_their_bijector(bijector, event):
    bijector = bijector() if callable(bijector) else bijector
    layer = layers.TransformedDistribution("Normal", bijector, event, loc=0.5)
    assert tuple(layer().shape) == event
    written = keras.saving.serialize_keras_object(layer.get_config())
    again = layers.TransformedDistribution.from_config(keras.saving.deserialize_keras_object(written))
    value = distributions.draw(layer.distribution(), (), backend.random.seed(0))
    found, expected = (as_numpy(one.distribution().log_prob(value * 1.0)) for one in (again, layer))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_bijectors_are_applied_in_their_order():
    layer = layers.TransformedDistribution("Normal", ["Exp", "Log"], loc=-2.0, scale=1e-6)
    np.testing.assert_allclose(float(layer()), -2.0, rtol=1e-3)


def test_a_bijector_that_tfp_has_not():
    with pytest.raises(ArchiveError, match="TFP has no bijector 'Expo'"):
        layers.TransformedDistribution("Normal", "Expo")


def test_sticks_of_a_transformed_simplex():
    # loc of two free numbers, and a simplex of three.
    layer = layers.TransformedDistribution("Normal", "IteratedSigmoidCentered", 3, loc=[0.0, 1.0])
    value = as_numpy(compiled(lambda: layer()))
    np.testing.assert_allclose(value.sum(), 1.0, rtol=1e-5)
    with pytest.raises(SiteError, match=r"doesn't fit.*\s+Received: shape \(3,\)\s+Expected: .*\(2,\)"):
        layer(loc=np.zeros(3))
