"""Random variables as Keras layers. May import: errors, checks, backend, saving, distributions, effects."""

from kprob.layers.networks.autoregressive_network import AutoregressiveNetwork
from kprob.layers.networks.coupling_network import CouplingNetwork
from kprob.layers.random_variable import RandomVariable
from kprob.layers.variables.bounded import Beta, Kumaraswamy, Triangular, TruncatedNormal, Uniform, VonMises
from kprob.layers.variables.categorical import (
    Categorical,
    DirichletMultinomial,
    FiniteDiscrete,
    Multinomial,
    OneHotCategorical,
    OrderedLogistic,
    RelaxedBernoulli,
    RelaxedOneHotCategorical,
)
from kprob.layers.variables.counts import (
    Bernoulli,
    BetaBinomial,
    Binomial,
    Geometric,
    NegativeBinomial,
    Poisson,
    ZeroInflatedNegativeBinomial,
    ZeroInflatedPoisson,
)
from kprob.layers.variables.hidden_markov_model import HiddenMarkovModel
from kprob.layers.variables.mixture import Mixture
from kprob.layers.variables.multivariate import (
    Dirichlet,
    LKJCholesky,
    MultivariateNormalDiag,
    MultivariateNormalFullCovariance,
    MultivariateNormalLowRank,
    MultivariateNormalTriL,
    MultivariateStudentT,
    VonMisesFisher,
    Wishart,
)
from kprob.layers.variables.positive import (
    Chi2,
    Exponential,
    Gamma,
    HalfCauchy,
    HalfNormal,
    HalfStudentT,
    InverseGamma,
    LogNormal,
    Pareto,
    Weibull,
)
from kprob.layers.variables.processes import GaussianProcess, LinearGaussianStateSpace
from kprob.layers.variables.real import (
    Cauchy,
    Deterministic,
    ExponentiallyModifiedGaussian,
    Gumbel,
    Horseshoe,
    Laplace,
    Logistic,
    Normal,
    SinhArcsinh,
    StudentT,
)
from kprob.layers.variables.transformed_distribution import TransformedDistribution
from kprob.namespaces import listing

__all__ = [
    "AutoregressiveNetwork",
    "CouplingNetwork",
    "Bernoulli",
    "Beta",
    "BetaBinomial",
    "Binomial",
    "Categorical",
    "Cauchy",
    "Chi2",
    "Deterministic",
    "Dirichlet",
    "DirichletMultinomial",
    "Exponential",
    "ExponentiallyModifiedGaussian",
    "FiniteDiscrete",
    "Gamma",
    "GaussianProcess",
    "Geometric",
    "Gumbel",
    "HalfCauchy",
    "HalfNormal",
    "HalfStudentT",
    "HiddenMarkovModel",
    "Horseshoe",
    "InverseGamma",
    "Kumaraswamy",
    "LKJCholesky",
    "Laplace",
    "LinearGaussianStateSpace",
    "LogNormal",
    "Logistic",
    "Mixture",
    "Multinomial",
    "MultivariateNormalDiag",
    "MultivariateNormalFullCovariance",
    "MultivariateNormalLowRank",
    "MultivariateNormalTriL",
    "MultivariateStudentT",
    "NegativeBinomial",
    "Normal",
    "OneHotCategorical",
    "OrderedLogistic",
    "Pareto",
    "Poisson",
    "RandomVariable",
    "RelaxedBernoulli",
    "RelaxedOneHotCategorical",
    "SinhArcsinh",
    "StudentT",
    "TransformedDistribution",
    "Triangular",
    "TruncatedNormal",
    "Uniform",
    "VonMises",
    "VonMisesFisher",
    "Weibull",
    "Wishart",
    "ZeroInflatedNegativeBinomial",
    "ZeroInflatedPoisson",
]
__dir__ = listing(__all__)
