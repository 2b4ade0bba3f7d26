"""Distributions whose parameters can't be parameters, and data that no such matrix is: TFP takes them all."""

import keras
import numpy as np
import pytest
from programs import Catalogue, assert_error, fit_networks, observe

import kprob
from kprob import layers, tfb, tfd
from kprob.backend import tfp
from kprob.errors import DataError

ops = keras.ops
programs = Catalogue()
kernels = tfp.math.psd_kernels


def f(*values):
    return np.array(values, "float32")


ZEROS, ONES, EYE = f(0, 0), f(1, 1), np.eye(2, dtype="float32")
FULL = f([1.0, 0.5], [0.5, 1.0])
ASYMMETRIC = f([1.0, 0.9], [0.1, 1.0])
INDEFINITE = f([1.0, 2.0], [2.0, 1.0])
POINTS = np.linspace(0, 1, 40)[:, None].astype("float32")


def near_points(jitter):
    return tfd.GaussianProcess(kernels.ExponentiatedQuadratic(f(1.0)[0], f(5.0)[0]), POINTS, jitter=jitter)


# What is wrong: the parameter, what is said of it, and the distribution.
WRONG = {
    "negative scale": ("scale", "positive", lambda: tfd.Normal(0.0, -1.0)),
    "negative integer": ("scale", "positive", lambda: tfd.Normal(0, -1)),
    "negative tensor": ("scale", "positive", lambda: tfd.Normal(0.0, ops.convert_to_tensor(-1.0))),
    "infinite scale": ("scale", "positive", lambda: tfd.Normal(0.0, np.inf)),
    "NaN": ("loc", "finite", lambda: tfd.Normal(np.nan, 1.0)),
    "infinite mean": ("loc", "finite", lambda: tfd.Normal(np.inf, 1.0)),
    "bounds the wrong way": ("high", "above `low`", lambda: tfd.Uniform(1.0, 0.0)),
    "bounds at one point": ("high", "above `low`", lambda: tfd.Uniform(1.0, 1.0)),
    "no bound": ("high", "finite", lambda: tfd.Uniform(0.0, np.inf)),
    "truncated the wrong way": ("high", "above `low`", lambda: tfd.TruncatedNormal(0.0, 1.0, 2.0, 1.0)),
    "truncated Cauchy the wrong way": ("high", "above `low`", lambda: tfd.TruncatedCauchy(0.0, 1.0, 2.0, 1.0)),
    "peak outside": ("peak", "from `low` to `high`", lambda: tfd.Triangular(0.0, 1.0, 2.0)),
    "PERT's peak outside": ("peak", "from `low` to `high`", lambda: tfd.PERT(1.0, 0.0, 2.0)),
    "probs below 1": ("probs", "sum to 1", lambda: tfd.Categorical(probs=[0.5, 0.2, 0.2])),
    "negative probs": ("probs", "sum to 1", lambda: tfd.OneHotCategorical(probs=[0.5, 0.7, -0.2])),
    "prob above 1": ("probs", "from 0 to 1", lambda: tfd.Bernoulli(probs=1.2)),
    "geometric above 1": ("probs", "from 0 to 1", lambda: tfd.Geometric(probs=1.5)),
    "Poisson": ("rate", "positive", lambda: tfd.Poisson(-1.0)),
    "Gamma": ("concentration", "positive", lambda: tfd.Gamma(-1.0, 1.0)),
    "Beta": ("concentration0", "positive", lambda: tfd.Beta(1.0, -1.0)),
    "StudentT": ("df", "positive", lambda: tfd.StudentT(-1.0, 0.0, 1.0)),
    "Exponential": ("rate", "positive", lambda: tfd.Exponential(-1.0)),
    "Laplace": ("scale", "positive", lambda: tfd.Laplace(0.0, -1.0)),
    "Pareto": ("scale", "positive", lambda: tfd.Pareto(1.0, -1.0)),
    "VonMises": ("concentration", "positive", lambda: tfd.VonMises(0.0, -1.0)),
    "Skellam": ("rate1", "positive", lambda: tfd.Skellam(-1.0, 1.0)),
    "GEV": ("scale", "positive", lambda: tfd.GeneralizedExtremeValue(0.0, -1.0, 0.0)),
    "Zipf": ("power", "above 1", lambda: tfd.Zipf(0.5)),
    "Bates of none": ("total_count", "whole number from 1", lambda: tfd.Bates(0.0)),
    "Bates of too many": ("total_count", "mean of more is normal", lambda: tfd.Bates(60.0)),
    "NIG": ("skewness", "-tailweight", lambda: tfd.NormalInverseGaussian(0.0, 1.0, 1.0, 2.0)),
    "NegativeBinomial": ("total_count", "positive", lambda: tfd.NegativeBinomial(-3.0, probs=0.3)),
    "half a count": ("total_count", "whole number", lambda: tfd.Binomial(2.5, probs=0.5)),
    "negative count": ("total_count", "whole number", lambda: tfd.Multinomial(-2.0, probs=[0.5, 0.5])),
    "temperature": ("temperature", "positive", lambda: tfd.RelaxedBernoulli(-1.0, logits=0.0)),
    "cutpoints": ("cutpoints", "ascending", lambda: tfd.OrderedLogistic([1.0, 0.0], 0.0)),
    "outcomes": ("outcomes", "ascending", lambda: tfd.FiniteDiscrete([2.0, 1.0], probs=[0.5, 0.5])),
    "Dirichlet": ("concentration", "positive", lambda: tfd.Dirichlet([1.0, -1.0])),
    "LKJ": ("concentration", "positive", lambda: tfd.CholeskyLKJ(3, -1.0)),
    "direction": ("mean_direction", "length 1", lambda: tfd.VonMisesFisher([1.0, 1.0], 1.0)),
    "power direction": ("mean_direction", "length 1", lambda: tfd.PowerSpherical(ONES, 1.0)),
    "diagonal": ("scale_diag", "positive", lambda: tfd.MultivariateNormalDiag(ZEROS, [-1.0, 1.0])),
    "full triangle": ("scale_tril", "lower triangular", lambda: tfd.MultivariateNormalTriL(ZEROS, FULL)),
    "full triangle, a tensor": (
        "scale_tril",
        "lower triangular",
        lambda: tfd.MultivariateNormalTriL(ops.convert_to_tensor(ZEROS), ops.convert_to_tensor(FULL)),
    ),
    "Wishart's triangle": ("scale_tril", "lower triangular", lambda: tfd.WishartTriL(5.0, FULL)),
    "asymmetric": ("covariance_matrix", "symmetric", lambda: tfd.MultivariateNormalFullCovariance(ZEROS, ASYMMETRIC)),
    "indefinite": (
        "covariance_matrix",
        "positive definite",
        lambda: tfd.MultivariateNormalFullCovariance(ZEROS, INDEFINITE),
    ),
    "low rank": (
        "cov_diag_factor",
        "positive",
        lambda: tfd.MultivariateNormalDiagPlusLowRankCovariance(ZEROS, f(1, -1), np.ones((2, 1), "float32")),
    ),
    # Inside others
    "independent": ("scale", "positive", lambda: tfd.Independent(tfd.Normal([0.0, 1.0], [1.0, -1.0]), 1)),
    "sample": ("scale", "positive", lambda: tfd.Sample(tfd.Normal(0.0, -1.0), 3)),
    "transformed": ("scale", "positive", lambda: tfd.TransformedDistribution(tfd.Normal(0.0, -1.0), tfb.Exp())),
    "quantized": ("scale", "positive", lambda: tfd.QuantizedDistribution(tfd.Normal(0.0, -1.0))),
    "weights of a mixture": (
        "probs",
        "sum to 1",
        lambda: tfd.MixtureSameFamily(tfd.Categorical(probs=[0.5, 0.4]), tfd.Normal([0.0, 1.0], [1.0, 1.0])),
    ),
    "component": (
        "scale",
        "positive",
        lambda: tfd.MixtureSameFamily(tfd.Categorical(probs=[0.5, 0.5]), tfd.Normal([0.0, 1.0], [1.0, -1.0])),
    ),
    "one of a list": (
        "scale",
        "positive",
        lambda: tfd.Mixture(tfd.Categorical(probs=[0.5, 0.5]), [tfd.Normal(0.0, 1.0), tfd.Normal(0.0, -1.0)]),
    ),
    "transition": (
        "probs",
        "sum to 1",
        lambda: tfd.HiddenMarkovModel(
            tfd.Categorical(probs=[0.5, 0.5]),
            tfd.Categorical(probs=[[0.5, 0.2], [0.5, 0.5]]),
            tfd.Normal([0.0, 1.0], 1.0),
            5,
        ),
    ),
    "inflated weight": ("inflated_loc_probs", "0 to 1", lambda: tfd.Inflated(tfd.Poisson(1.0), inflated_loc_probs=1.3)),
    "inflated rate": ("rate", "positive", lambda: tfd.Inflated(tfd.Poisson(-1.0), inflated_loc_probs=0.3)),
    "ZINB": (
        "total_count",
        "positive",
        lambda: tfd.ZeroInflatedNegativeBinomial(inflated_loc_probs=0.3, total_count=-1.0, probs=0.5),
    ),
    "noise of a series": (
        "scale_diag",
        "positive",
        lambda: tfd.LinearGaussianStateSpaceModel(
            5,
            EYE,
            tfd.MultivariateNormalDiag(scale_diag=f(1, -1)),
            EYE,
            tfd.MultivariateNormalDiag(scale_diag=ONES),
            tfd.MultivariateNormalDiag(scale_diag=ONES),
        ),
    ),
    "kernel": (
        "length_scale",
        "positive",
        lambda: tfd.GaussianProcess(kernels.ExponentiatedQuadratic(f(1.0)[0], f(-5.0)[0]), POINTS),
    ),
    "near points": ("index_points", "positive definite", lambda: near_points(0.0)),
}


# The check itself is NumPy's on both backends.
ON_BOTH = (
    "negative scale",
    "negative tensor",
    "bounds the wrong way",
    "indefinite",
    "component",
    "ZINB",
    "near points",
)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in ON_BOTH else pytest.mark.once) for name in WRONG]
)
def test_wrong_site(name):
    parameter, expected, make = WRONG[name]
    words = (f"Parameter `{parameter}` of site `x` can't be one of its", expected)
    assert_error(lambda: kprob.sample("x", make()), words)


def after_a_latent(make):
    """A model with a latent, and a site of a distribution that is a constant, made of tensors where it can be."""

    def generative():
        latent = kprob.sample("latent", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("y", tfd.Normal(latent, 1.0))
        kprob.sample("x", make(latent))

    return kprob.ProbabilisticModel(generative=generative)


IN_MODELS = {
    "numbers": lambda latent: tfd.Normal(latent, -1.0),
    "tensors": lambda latent: tfd.Normal(latent, ops.convert_to_tensor(-1.0)),
    "what is wrong for every draw": lambda latent: tfd.Normal(0.0, -1.0 - latent**2),
    "a triangle": lambda latent: tfd.MultivariateNormalTriL(ZEROS + latent, ops.convert_to_tensor(FULL)),
    "a covariance": lambda latent: tfd.MultivariateNormalFullCovariance(
        ZEROS + latent, ops.convert_to_tensor(ASYMMETRIC)
    ),
    "near points": lambda latent: near_points(0.0),
}


@programs.wrong_for_each(IN_MODELS, "of site `x` can't be one of its")
def a_model_with(name):
    after_a_latent(IN_MODELS[name]).structure()


@programs.wrong_for_each(IN_MODELS, "of site `x` can't be one of its")
def a_fit_with(name):
    fit_networks(after_a_latent(IN_MODELS[name]).generative, {"y": f(0, 1)})


@programs.wrong("Parameter `scale` of site `mu` can't be one of its Normal", "a positive number")
def a_guide_of_ones_own_with_a_negative_scale():
    def generative():
        mu = kprob.sample("mu", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("y", tfd.Normal(mu, 1.0))

    def inference():
        kprob.sample("mu", tfd.Normal(0.0, kprob.param("scale", -1.0)))

    fit_networks(generative, {"y": f(0, 1)}, inference)


@programs.wrong("Parameter `scale` of site `y` can't be one of its Normal", "at index (2,)")
def a_negative_standard_deviation_in_the_data():
    def generative(sd):
        mu = kprob.sample("mu", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("y", tfd.Normal(mu, sd))

    sd = np.ones(12, "float32")
    sd[2] = -1.0
    fit_networks(generative, {"y": np.zeros(12, "float32"), "sd": sd})


SINGULAR = {
    "of a latent": lambda latent: ops.cholesky(ops.convert_to_tensor(INDEFINITE) + 0.0 * latent),
    "of near points": lambda latent: ops.cholesky(
        ops.exp(-0.5 * (POINTS - POINTS.T) ** 2 / 25.0) * (1.0 + 0.0 * latent)
    ),
}


@programs.wrong_for_each(SINGULAR, "no Cholesky factor", "after site `y`", "add a little to the diagonal")
def a_factor(name):
    def make(latent):
        factor = SINGULAR[name](latent)
        return tfd.MultivariateNormalTriL(np.zeros(factor.shape[-1], "float32"), factor)

    fit_networks(after_a_latent(make).generative, {"y": f(0, 1)})


@programs.wrong_for_each(
    [INDEFINITE, ASYMMETRIC, ops.convert_to_tensor(INDEFINITE), ops.convert_to_tensor(ASYMMETRIC)],
    "Parameter `covariance_matrix`",
    "symmetric and positive definite",
)
def a_layer_with_the_covariance(matrix):
    layers.MultivariateNormalFullCovariance()(covariance_matrix=matrix)


@programs.wrong_for_each([FULL, ops.convert_to_tensor(FULL)], "Parameter `scale_tril`", "lower triangular")
def a_layer_with_the_triangle(matrix):
    layers.MultivariateNormalTriL()(scale_tril=matrix)


@programs.wrong("Parameter `scale` of site `normal", "a positive number")
def a_layer_with_a_negative_tensor():
    layers.Normal(name="normal")(loc=ops.zeros(3), scale=-ops.ones(3))


@programs.wrong("Parameter `high` of site `uniform", "above `low`")
def a_layer_with_bounds_the_wrong_way():
    layers.Uniform(low=1.0, high=0.0, name="uniform")()


@programs.wrong("Parameter `index_points`", "positive definite", "jitter")
def a_layer_of_near_points_without_jitter():
    layers.GaussianProcess(jitter=0.0)(index_points=POINTS, length_scale=5.0)


MATRICES = {
    "correlations with another diagonal": (lambda: tfd.LKJ(2, 1.5), 2.0 * FULL),
    "correlations above 1": (lambda: tfd.LKJ(2, 1.5), INDEFINITE),
    "asymmetric correlations": (lambda: tfd.LKJ(2, 1.5), ASYMMETRIC),
    "a factor with rows of another length": (lambda: tfd.CholeskyLKJ(2, 1.5), EYE * 2),
    "a factor that is a matrix": (lambda: tfd.CholeskyLKJ(2, 1.5), FULL),
    "a factor with a negative diagonal": (lambda: tfd.CholeskyLKJ(2, 1.5), f([1.0, 0.0], [0.6, -0.8])),
    "asymmetric covariances": (lambda: tfd.WishartTriL(3.0, EYE), ASYMMETRIC),
    "indefinite covariances": (lambda: tfd.WishartTriL(3.0, EYE), INDEFINITE),
}
NUMBERS = {
    "a negative chi": (lambda: tfd.Chi(2.0), -1.0),
    "a negative time": (lambda: tfd.InverseGaussian(1.0, 1.0), -1.0),
    "below the bound": (lambda: tfd.GeneralizedPareto(1.0, 1.0, 0.1), 0.5),
    "above the bound": (lambda: tfd.GeneralizedPareto(0.0, 1.0, -0.5), 2.5),
    "beyond an extreme": (lambda: tfd.GeneralizedExtremeValue(0.0, 1.0, 0.5), -3.0),
    "above 1": (lambda: tfd.ContinuousBernoulli(probs=0.3), 1.5),
    "outside PERT's bounds": (lambda: tfd.PERT(0.0, 1.0, 2.0), 3.0),
    "a fraction": (lambda: tfd.Skellam(1.0, 1.0), 0.5),
    "a class too many": (lambda: tfd.StoppingRatioLogistic([0.0, 1.0], 0.0), 3.0),
    "rank 0": (lambda: tfd.Zipf(2.0), 0.0),
    "a negative amount": (lambda: tfd.GammaGamma(1.0, 3.0, 1.0), -1.0),
    "a square root": (lambda: tfd.TransformedDistribution(tfd.Chi2(2.0), tfb.Invert(tfb.Square())), -1.0),
}


@programs.wrong_for_each(MATRICES, "outside the support", "at index (0,)", error=DataError)
def matrices_that_are(name):
    make, value = MATRICES[name]
    observe(lambda latent: make(), np.repeat(value[None], 3, axis=0))


@programs.wrong_for_each(NUMBERS, "outside the support", error=DataError)
def numbers_that_are(name):
    make, value = NUMBERS[name]
    dtype = "int32" if "int" in str(make().dtype) and value == int(value) else "float32"
    observe(lambda latent: make(), np.full(3, value, dtype))


RIGHT = {
    "a scale at the limit": lambda: tfd.Normal(0.0, 0.0),
    "numbers without a point": lambda: tfd.Normal(0, 1),
    "many probs in float32": lambda: tfd.Categorical(
        probs=np.random.default_rng(0).dirichlet(np.ones(1000)).astype("float32")
    ),
    "thirds": lambda: tfd.Categorical(probs=[0.333, 0.333, 0.333]),
    "an impossible class": lambda: tfd.Categorical(probs=[0.0, 1.0]),
    "an impossible class by logits": lambda: tfd.Categorical(logits=[0.0, -np.inf]),
    "a sure coin": lambda: tfd.Bernoulli(logits=np.inf),
    "no tries": lambda: tfd.Binomial(0.0, probs=0.5),
    "a negative diagonal": lambda: tfd.MultivariateNormalTriL(ZEROS, f([-1.0, 0.0], [0.5, 1.0])),
    "an open interval": lambda: tfd.TruncatedNormal(0.0, 1.0, 0.0, np.inf),
    "equal cutpoints": lambda: tfd.OrderedLogistic([0.0, 0.0, 1.0], 0.0),
    "a flat LKJ": lambda: tfd.CholeskyLKJ(3, 0.5),
    "a covariance": lambda: tfd.MultivariateNormalFullCovariance(ZEROS, FULL),
    "an empirical covariance": lambda: tfd.MultivariateNormalFullCovariance(
        np.zeros(50, "float32"), np.cov(np.random.default_rng(0).normal(size=(80, 50)).T).astype("float32")
    ),
    "a peak at an end": lambda: tfd.Triangular(0.0, 1.0, 1.0),
    "points with jitter": lambda: near_points(1e-4),
    "masked parameters": lambda: tfd.Independent(tfd.Masked(tfd.Normal([0.0, 0.0], [1.0, -1.0]), [True, False]), 1),
}


@pytest.mark.once
@pytest.mark.parametrize("name", RIGHT)
def test_right_site(name):
    kprob.sample("x", RIGHT[name]())


@programs.right
def a_scale_that_is_negative_for_some_draws():
    def generative():
        scale = kprob.sample("scale", tfd.Normal(0.5, 1.0))
        with kprob.plate("data"):
            kprob.sample("y", tfd.Normal(0.0, scale))

    fit_networks(generative, {"y": f(0, 1)})


@programs.right
def masked_rows_with_impossible_parameters():
    def generative(sd):
        mu = kprob.sample("mu", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"), kprob.handlers.mask(mask=sd > 0.0):
            kprob.sample("y", tfd.Normal(mu, sd))

    fit_networks(generative, {"y": f(0, 1, 2), "sd": f(1, -1, 1)})


@programs.right
def matrices_of_every_kind():
    for make, value in (
        (lambda: tfd.LKJ(2, 1.5), FULL),
        (lambda: tfd.CholeskyLKJ(2, 1.5), f([1.0, 0.0], [0.6, 0.8])),
        (lambda: tfd.WishartTriL(3.0, EYE), FULL),
        (lambda: tfd.WishartTriL(3.0, EYE, input_output_cholesky=True), f([1.0, 0.0], [0.6, 0.8])),
    ):
        assert bool(ops.all(kprob.distributions.contains(make(), value)))


@pytest.mark.parametrize("program, words, error", programs.wrong_ones)
def test_wrong(program, words, error):
    assert_error(program, words, error)


@pytest.mark.parametrize("program", programs.right_ones)
def test_right(program):
    program()
