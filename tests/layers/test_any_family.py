"""`layers.RandomVariable` of any TFP class: all that InferPy had, and that TFP 0.25 still has, can be made and drawn."""

import keras
import numpy as np
import pytest
from contracts import as_numpy, run_once
from keras import ops

from kprob import backend, layers, tfb, tfd


def at(value):
    return ops.convert_to_tensor(value, dtype="float32")


def kernel():
    return backend.tfp.math.psd_kernels.ExponentiatedQuadratic()


POINTS = np.array([[0.0], [1.0], [2.0]], "float32")
EYE = np.eye(2, dtype="float32")

# InferPy's classes without a layer of their own: arguments of the layer, shape of a value.
ANY = {
    "Autoregressive": (
        lambda: {"distribution_fn": lambda x: tfd.Independent(tfd.Normal(0.5 * x, 1.0), 1), "sample0": at([0.0, 0.0])},
        (2,),
    ),
    "BatchReshape": (lambda: {"distribution": tfd.Normal(at([0.0] * 4), 1.0), "batch_shape": [2, 2]}, (2, 2)),
    "Blockwise": (lambda: {"distributions": [tfd.Normal(at(0.0), 1.0), tfd.Gamma(at(1.0), 1.0)]}, (2,)),
    "Chi": (lambda: {"df": 3.0}, ()),
    "VectorDeterministic": (lambda: {"loc": [1.0, 2.0]}, (2,)),
    "Empirical": (lambda: {"samples": at([1.0, 2.0, 5.0])}, ()),
    "ExpRelaxedOneHotCategorical": (lambda: {"temperature": 0.5, "logits": [0.0, 1.0]}, (2,)),
    "GammaGamma": (lambda: {"concentration": 2.0, "mixing_concentration": 3.0, "mixing_rate": 1.0}, ()),
    "GaussianProcessRegressionModel": (
        lambda: {
            "kernel": kernel(),
            "index_points": POINTS,
            "observation_index_points": POINTS[:1],
            "observations": at([1.0]),
        },
        (3,),
    ),
    "Independent": (
        lambda: {"distribution": tfd.Normal(at([0.0, 1.0]), 1.0), "reinterpreted_batch_ndims": 1},
        (2,),
    ),
    "InverseGaussian": (lambda: {"loc": 1.0, "concentration": 2.0}, ()),
    "LKJ": (lambda: {"dimension": 3, "concentration": 2.0}, (3, 3)),
    "MultivariateNormalDiagPlusLowRank": (
        lambda: {"loc": [0.0, 0.0], "scale_diag": [1.0, 1.0], "scale_perturb_factor": [[1.0], [0.5]]},
        (2,),
    ),
    "MultivariateNormalLinearOperator": (
        lambda: {"loc": [0.0, 0.0], "scale": tfd.MultivariateNormalTriL(scale_tril=EYE).scale},
        (2,),
    ),
    "PoissonLogNormalQuadratureCompound": (lambda: {"loc": 0.0, "scale": 1.0}, ()),
    "QuantizedDistribution": (lambda: {"distribution": tfd.Normal(at(3.0), 1.0)}, ()),
    "Sample": (lambda: {"distribution": tfd.Normal(at(0.0), 1.0), "sample_shape": [4]}, (4,)),
    "StudentTProcess": (lambda: {"df": 3.0, "kernel": kernel(), "index_points": POINTS}, (3,)),
    "VariationalGaussianProcess": (
        lambda: {
            "kernel": kernel(),
            "index_points": POINTS,
            "inducing_index_points": POINTS[:2],
            "variational_inducing_observations_loc": at([0.0, 0.0]),
            "variational_inducing_observations_scale": EYE,
            "observation_noise_variance": at(0.1),  # TFP's standard value, None, fails at the first draw
        },
        (3,),
    ),
    "Zipf": (lambda: {"power": 2.5}, ()),
    # And some that InferPy hadn't.
    "Skellam": (lambda: {"rate1": 1.0, "rate2": 2.0}, ()),
    "GeneralizedPareto": (lambda: {"loc": 0.0, "scale": 1.0, "concentration": 0.5}, ()),
    "PlackettLuce": (lambda: {"scores": [1.0, 2.0, 3.0]}, (3,)),
    "JohnsonSU": (lambda: {"skewness": 0.0, "tailweight": 1.0, "loc": 0.0, "scale": 1.0}, ()),
}

# Those with a layer: InferPy's name, ours.
NAMED = {
    "Bernoulli": "Bernoulli",
    "Beta": "Beta",
    "Binomial": "Binomial",
    "Categorical": "Categorical",
    "Cauchy": "Cauchy",
    "Chi2": "Chi2",
    "Deterministic": "Deterministic",
    "Dirichlet": "Dirichlet",
    "DirichletMultinomial": "DirichletMultinomial",
    "Exponential": "Exponential",
    "FiniteDiscrete": "FiniteDiscrete",
    "Gamma": "Gamma",
    "GaussianProcess": "GaussianProcess",
    "Geometric": "Geometric",
    "Gumbel": "Gumbel",
    "HalfCauchy": "HalfCauchy",
    "HalfNormal": "HalfNormal",
    "HiddenMarkovModel": "HiddenMarkovModel",
    "Horseshoe": "Horseshoe",
    "InverseGamma": "InverseGamma",
    "Kumaraswamy": "Kumaraswamy",
    "Laplace": "Laplace",
    "LinearGaussianStateSpaceModel": "LinearGaussianStateSpace",
    "Logistic": "Logistic",
    "LogNormal": "LogNormal",
    "MixtureGaussian": "Mixture",
    "Multinomial": "Multinomial",
    "MultivariateNormalDiag": "MultivariateNormalDiag",
    "MultivariateNormalFullCovariance": "MultivariateNormalFullCovariance",
    "MultivariateNormalTriL": "MultivariateNormalTriL",
    "MultivariateStudentTLinearOperator": "MultivariateStudentT",
    "NegativeBinomial": "NegativeBinomial",
    "Normal": "Normal",
    "OneHotCategorical": "OneHotCategorical",
    "Pareto": "Pareto",
    "Poisson": "Poisson",
    "RelaxedBernoulli": "RelaxedBernoulli",
    "RelaxedOneHotCategorical": "RelaxedOneHotCategorical",
    "SinhArcsinh": "SinhArcsinh",
    "StudentT": "StudentT",
    "TransformedDistribution": "TransformedDistribution",
    "Triangular": "Triangular",
    "TruncatedNormal": "TruncatedNormal",
    "Uniform": "Uniform",
    "VonMises": "VonMises",
    "VonMisesFisher": "VonMisesFisher",
    "Wishart": "Wishart",
}


@pytest.mark.parametrize("name", NAMED)
def test_a_class_of_inferpy_has_a_layer(name):
    assert NAMED[name] in layers.__all__


@pytest.mark.parametrize("name", ANY)
def test_any_class_is_drawn(name):
    if backend.name == "jax" and name == "PoissonLogNormalQuadratureCompound":
        pytest.skip("TFP's own can't be compiled on JAX")
    given, shape = ANY[name]
    layer = layers.RandomVariable(getattr(tfd, name), **given())
    value = run_once(lambda: layer(), variables=lambda: layer.variables)
    assert tuple(value.shape) == shape
    assert np.isfinite(as_numpy(value)).all()


@pytest.mark.parametrize("name", ["Skellam", "InverseGaussian", "LKJ"])
def test_a_config_knows_the_class(name):
    layer = layers.RandomVariable(getattr(tfd, name), **ANY[name][0]())
    again = layers.RandomVariable.from_config(layer.get_config())
    assert again.family is layer.family and tuple(again().shape) == ANY[name][1]


def test_event_shapes_and_symbolic_calls_of_any_class():
    assert tuple(layers.RandomVariable(tfd.Skellam, 3, rate1=1.0, rate2=2.0)().shape) == (3,)
    layer = layers.RandomVariable(tfd.InverseGaussian, 3, concentration=2.0)
    loc = keras.Input((3,))
    model = keras.Model(loc, layer(loc=loc))
    assert tuple(model.output_shape) == (None, 3)
    assert tuple(model(ops.ones((4, 3))).shape) == (4, 3)


def test_heads_of_any_class():
    layer = layers.RandomVariable(tfd.Skellam, 2)
    assert tuple(layer(np.ones((5, 3), "float32")).shape) == (5, 2)
    assert set(layer.heads) == {"log_rate1", "log_rate2"}


def test_a_distribution_with_parameters_of_the_call():
    layer = layers.RandomVariable(tfd.TransformedDistribution, bijector=tfb.Exp())
    value = layer(distribution=tfd.Normal(at(0.0), 1e-6))
    np.testing.assert_allclose(float(value), 1.0, rtol=1e-3)
