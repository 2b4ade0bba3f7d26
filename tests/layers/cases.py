"""One case for each random-variable layer: how to make it, parameters for three rows, and the right answers."""

from dataclasses import dataclass, field

import numpy as np
from layers import references as ref
from scipy import special, stats

ROWS = 3


def rows(*values):
    """A parameter with one value per row."""
    return np.array(values, "float32")


LOC, SCALE = rows(-1.0, 0.5, 2.0), rows(0.5, 1.0, 3.0)
SHAPE, OTHER = rows(1.5, 2.5, 4.0), rows(3.0, 2.0, 1.2)
LOGITS = rows(-1.0, 0.3, 1.5)
CLASS_LOGITS = np.array([[0.0, 1.0, -1.0, 0.5], [2.0, 0.0, 0.0, 0.0], [0.3, 0.3, 0.3, -2.0]], "float32")
CLASS_PROBS = special.softmax(CLASS_LOGITS.astype("float64"), axis=-1)
CONCENTRATION = np.exp(CLASS_LOGITS) + np.float32(0.5)
MEANS = np.array([[0.0, 1.0], [-1.0, 2.0], [3.0, 0.5]], "float32")
DIAGONAL = np.array([[0.5, 1.0], [2.0, 1.5], [1.0, 0.7]], "float32")
TRIL = np.array([[[1.0, 0.0], [0.5, 0.8]], [[2.0, 0.0], [-1.0, 1.0]], [[0.7, 0.0], [0.2, 1.3]]], "float32")
COV = TRIL @ np.swapaxes(TRIL, -1, -2)
FACTOR = np.array([[[1.0], [0.5]], [[0.2], [-0.3]], [[1.5], [1.0]]], "float32")
P = special.expit(LOGITS)


@dataclass(frozen=True, eq=False)
class Case:
    """A layer with parameters and right answers.

    Attributes:
        name: Name of the layer.
        parameters: Parameters of a call, each with an axis of three rows.
        reference: Right answers (see `references`), or None where the test has its own.
        args: Arguments of the constructor by position.
        make: Arguments of the constructor by keyword, for calls with parameters.
        learned: The same for calls with features; None for the same.
        outside: Impossible values of one row each, all of which `contains` must refuse in every row.
        own_draws: Whether draws are the same eagerly, in graphs and under XLA.
        density: Largest relative error of the log-density.
        fixed: Parameters without gradients, such as counts.
        flat: Parameters on which the density doesn't depend smoothly.
        values: Number of values that `enumerate_support` must find, or None.
        bijector: Whether the support has a bijector, if the variable is continuous.
    """

    name: str
    parameters: dict
    reference: object = None
    args: tuple = ()
    make: dict = field(default_factory=dict)
    learned: dict | None = None
    outside: tuple = ()
    own_draws: bool = True
    density: float = 1e-4
    fixed: tuple[str, ...] = ()
    flat: tuple[str, ...] = ()
    values: int | None = None
    bijector: bool = True


def _dirichlet_cov(concentration):
    total = concentration.sum(-1, keepdims=True)
    m = concentration / total
    return [np.diag(a) - np.outer(a, a) for a in m] / (total[..., None] + 1)


def _dirichlet_logpdf(x, concentration):
    constant = special.gammaln(concentration.sum(-1)) - special.gammaln(concentration).sum(-1)
    return constant + np.sum((concentration - 1) * np.log(x), axis=-1)


def _multinomial_rows(distribution, *parameters):
    frozen = [distribution(*row) for row in zip(*parameters, strict=True)]
    return ref.Rows(*frozen, mean=np.array([d.mean() for d in frozen]), cov=np.array([d.cov() for d in frozen]))


REAL = (
    Case("Normal", {"loc": LOC, "scale": SCALE}, stats.norm(LOC, SCALE), outside=(np.inf, np.nan)),
    Case("StudentT", {"df": SHAPE, "loc": LOC, "scale": SCALE}, stats.t(SHAPE, LOC, SCALE)),
    Case("Cauchy", {"loc": LOC, "scale": SCALE}, stats.cauchy(LOC, SCALE)),
    Case("Laplace", {"loc": LOC, "scale": SCALE}, stats.laplace(LOC, SCALE)),
    Case("Logistic", {"loc": LOC, "scale": SCALE}, stats.logistic(LOC, SCALE)),
    Case("Gumbel", {"loc": LOC, "scale": SCALE}, stats.gumbel_r(LOC, SCALE)),
    Case(
        "SinhArcsinh",
        {"loc": LOC, "scale": SCALE, "skewness": rows(0.0, 0.3, -0.2), "tailweight": rows(1.0, 0.7, 1.3)},
        ref.sinh_arcsinh(LOC, SCALE, rows(0.0, 0.3, -0.2), rows(1.0, 0.7, 1.3)),
    ),
    Case(
        "ExponentiallyModifiedGaussian",
        {"loc": LOC, "scale": SCALE, "rate": SHAPE},
        stats.exponnorm(1 / (SCALE * SHAPE), LOC, SCALE),
    ),
    # TFP's density is an approximation, off by up to 6 % between 0 and 2 scales.
    Case("Horseshoe", {"scale": SCALE}, ref.horseshoe(SCALE), density=0.06),
)

POSITIVE = (
    Case(
        "LogNormal", {"loc": LOC, "scale": SCALE}, stats.lognorm(SCALE, scale=np.exp(LOC)), outside=(0.0, -1.0, np.inf)
    ),
    Case("HalfNormal", {"scale": SCALE}, stats.halfnorm(scale=SCALE), outside=(-0.1, np.nan)),
    Case("HalfCauchy", {"loc": LOC, "scale": SCALE}, stats.halfcauchy(LOC, SCALE), outside=(-1.1,)),
    Case(
        "HalfStudentT",
        {"df": SHAPE, "loc": LOC, "scale": SCALE},
        ref.half_student_t(SHAPE, LOC, SCALE),
        outside=(-1.1,),
    ),
    Case("Exponential", {"rate": SCALE}, stats.expon(scale=1 / SCALE), outside=(-0.1,)),
    Case(
        "Gamma",
        {"concentration": SHAPE, "rate": SCALE},
        stats.gamma(SHAPE, scale=1 / SCALE),
        outside=(0.0, -1.0),
    ),
    Case(
        "InverseGamma",
        {"concentration": SHAPE, "scale": SCALE},
        stats.invgamma(SHAPE, scale=SCALE),
        outside=(0.0, -1.0),
    ),
    Case("Chi2", {"df": SHAPE}, stats.chi2(SHAPE), outside=(0.0, -1.0)),
    Case(
        "Weibull",
        {"concentration": SHAPE, "scale": SCALE},
        stats.weibull_min(SHAPE, scale=SCALE),
        outside=(0.0, -1.0),
    ),
    Case("Pareto", {"concentration": SHAPE, "scale": SCALE}, stats.pareto(SHAPE, scale=SCALE), outside=(0.4, 0.0)),
)

BOUNDED = (
    Case("Uniform", {"low": LOC, "high": LOC + SCALE}, stats.uniform(LOC, SCALE), outside=(-1.1, 5.1)),
    Case(
        "TruncatedNormal",
        {"loc": LOC, "scale": SCALE, "low": rows(-1.5, 1.0, 0.0), "high": rows(2.0, np.inf, 1.0)},
        stats.truncnorm(
            (rows(-1.5, 1.0, 0.0) - LOC) / SCALE, (rows(2.0, np.inf, 1.0) - LOC) / SCALE, loc=LOC, scale=SCALE
        ),
        learned={"low": -1.0, "high": 2.0},
        outside=(-1.6, np.nan),
    ),
    Case(
        "Triangular",
        {"low": LOC, "high": LOC + SCALE, "peak": LOC + SCALE * rows(0.2, 0.5, 0.9)},
        stats.triang(rows(0.2, 0.5, 0.9), LOC, SCALE),
        outside=(-1.1, 5.1),
    ),
    Case(
        "Beta",
        {"concentration1": SHAPE, "concentration0": OTHER},
        stats.beta(SHAPE, OTHER),
        outside=(0.0, 1.0, -0.1, 1.1),
    ),
    Case(
        "Kumaraswamy",
        {"concentration1": SHAPE, "concentration0": OTHER},
        ref.kumaraswamy(SHAPE, OTHER),
        outside=(0.0, 1.0, 1.1),
    ),
    Case(
        "VonMises",
        {"loc": rows(0.0, 0.5, -0.5), "concentration": SHAPE},
        stats.vonmises(SHAPE, rows(0.0, 0.5, -0.5)),
        outside=(np.inf,),
        own_draws=False,
    ),
)

COUNTS = (
    Case("Bernoulli", {"logits": LOGITS}, ref.Discrete(stats.bernoulli(P).logpmf), outside=(0.5, 2.0, -1.0), values=2),
    Case(
        "Binomial",
        {"total_count": rows(7, 7, 7), "logits": LOGITS},
        ref.Discrete(stats.binom(7, P).logpmf),
        learned={"total_count": 7.0},
        outside=(-1.0, 0.5, 8.0),
        own_draws=False,
        fixed=("total_count",),
        values=8,
    ),
    Case(
        "BetaBinomial",
        {"total_count": rows(7, 7, 7), "concentration1": SHAPE, "concentration0": OTHER},
        ref.Discrete(stats.betabinom(7, SHAPE, OTHER).logpmf),
        learned={"total_count": 7.0},
        outside=(-1.0, 0.5, 8.0),
        own_draws=False,
        fixed=("total_count",),
        values=8,
    ),
    Case("Geometric", {"logits": LOGITS}, ref.Discrete(stats.geom(P, loc=-1).logpmf), outside=(-1.0, 0.5)),
    Case("Poisson", {"rate": SHAPE}, ref.Discrete(stats.poisson(SHAPE).logpmf), outside=(-1.0, 0.5), own_draws=False),
    Case(
        "NegativeBinomial",
        {"total_count": SHAPE, "logits": LOGITS},
        ref.Discrete(stats.nbinom(SHAPE, 1 - P).logpmf),
        outside=(-1.0, 0.5),
        own_draws=False,
    ),
    Case(
        "ZeroInflatedPoisson",
        {"rate": SHAPE, "inflated_loc_logits": LOGITS},
        ref.zero_inflated(stats.poisson(SHAPE).logpmf, P),
        outside=(-1.0, 0.5),
        own_draws=False,
    ),
    Case(
        "ZeroInflatedNegativeBinomial",
        {"total_count": SHAPE, "logits": LOGITS, "inflated_loc_logits": rows(0.5, -1.0, 0.0)},
        ref.zero_inflated(stats.nbinom(SHAPE, 1 - P).logpmf, special.expit(rows(0.5, -1.0, 0.0))),
        outside=(-1.0, 0.5),
        own_draws=False,
    ),
)

CLASSES = (
    Case(
        "Categorical",
        {"logits": CLASS_LOGITS},
        ref.by_probs(CLASS_PROBS),
        learned={"num_classes": 4},
        outside=(-1.0, 0.5, 4.0),
        values=4,
    ),
    Case(
        "OneHotCategorical",
        {"logits": CLASS_LOGITS},
        ref.one_hot(CLASS_PROBS),
        make={"event_shape": 4},
        outside=([1.0, 1.0, 0.0, 0.0], [0.0] * 4, [0.5, 0.5, 0.0, 0.0]),
        values=4,
    ),
    Case(
        "OrderedLogistic",
        {"cutpoints": np.array([[-1.0, 0.0, 2.0]] * 3, "float32"), "loc": LOC},
        ref.ordered(np.array([[-1.0, 0.0, 2.0]] * 3), LOC),
        learned={"num_classes": 4},
        outside=(-1.0, 0.5, 4.0),
        values=4,
    ),
    Case(
        "FiniteDiscrete",
        {"logits": CLASS_LOGITS},
        ref.by_probs(CLASS_PROBS, [-1.0, 0.0, 0.5, 3.0]),
        make={"outcomes": [-1.0, 0.0, 0.5, 3.0]},
        learned={"outcomes": [-1.0, 0.0, 0.5, 3.0], "num_classes": 4},
        outside=(-0.5, 4.0),
        values=4,
    ),
    Case(
        "Multinomial",
        {"total_count": rows(10, 5, 2), "logits": CLASS_LOGITS},
        _multinomial_rows(stats.multinomial, (10, 5, 2), CLASS_PROBS),
        make={"event_shape": 4},
        learned={"event_shape": 4, "total_count": 5.0},
        outside=([1.0, 1.0, 0.0, 1.0], [10.5, -0.5, 0.0, 0.0]),
        own_draws=False,
        fixed=("total_count",),
    ),
    Case(
        "DirichletMultinomial",
        {"total_count": rows(10, 5, 2), "concentration": np.exp(CLASS_LOGITS)},
        _multinomial_rows(stats.dirichlet_multinomial, np.exp(CLASS_LOGITS.astype("float64")), (10, 5, 2)),
        make={"event_shape": 4},
        learned={"event_shape": 4, "total_count": 5.0},
        outside=([1.0, 1.0, 0.0, 1.0],),
        own_draws=False,
        fixed=("total_count",),
    ),
    Case(
        "RelaxedBernoulli",
        {"temperature": rows(0.7, 1.0, 2.0), "logits": LOGITS},
        ref.relaxed_bernoulli(rows(0.7, 1.0, 2.0), LOGITS),
        learned={"temperature": 0.7},
        outside=(0.0, 1.0, 1.5),
    ),
    Case(
        "RelaxedOneHotCategorical",
        {"temperature": rows(0.7, 1.0, 2.0), "logits": CLASS_LOGITS},
        ref.relaxed_one_hot(rows(0.7, 1.0, 2.0).astype("float64"), CLASS_LOGITS.astype("float64")),
        make={"event_shape": 4},
        learned={"event_shape": 4, "temperature": 0.7},
        outside=([0.5, 0.5, 0.5, 0.5], [1.5, -0.5, 0.0, 0.0]),
    ),
)

VECTORS = (
    Case(
        "MultivariateNormalDiag",
        {"loc": MEANS, "scale_diag": DIAGONAL},
        ref.normal_rows(MEANS, [np.diag(d**2) for d in DIAGONAL]),
        make={"event_shape": 2},
        outside=([0.0, np.nan],),
    ),
    Case(
        "MultivariateNormalTriL",
        {"loc": MEANS, "scale_tril": TRIL},
        ref.normal_rows(MEANS, COV),
        make={"event_shape": 2},
    ),
    Case(
        "MultivariateNormalFullCovariance",
        {"loc": MEANS, "covariance_matrix": COV},
        ref.normal_rows(MEANS, COV),
        make={"event_shape": 2},
    ),
    Case(
        "MultivariateNormalLowRank",
        {"loc": MEANS, "cov_diag_factor": DIAGONAL, "cov_perturb_factor": FACTOR},
        ref.normal_rows(MEANS, [np.diag(d) + f @ f.T for d, f in zip(DIAGONAL, FACTOR, strict=True)]),
        make={"event_shape": 2},
        learned={"event_shape": 2, "rank": 1},
    ),
    Case(
        "MultivariateStudentT",
        {"df": rows(5.0, 6.0, 9.0), "loc": MEANS, "scale_tril": TRIL},
        ref.Rows(
            *(stats.multivariate_t(m, c, d) for m, c, d in zip(MEANS, COV, (5, 6, 9), strict=True)),
            mean=MEANS,
            cov=[c * d / (d - 2) for c, d in zip(COV, (5, 6, 9), strict=True)],
        ),
        make={"event_shape": 2},
    ),
    Case(
        "Dirichlet",
        {"concentration": CONCENTRATION},
        ref.Formula(
            lambda x: _dirichlet_logpdf(x, CONCENTRATION),
            mean=CONCENTRATION / CONCENTRATION.sum(-1, keepdims=True),
            cov=_dirichlet_cov(CONCENTRATION),
        ),
        make={"event_shape": 4},
        outside=([0.5, 0.5, 0.5, 0.5], [1.0, 0.0, 0.0, 0.0], [1.5, -0.5, 0.0, 0.0]),
    ),
    Case(
        "VonMisesFisher",
        {"mean_direction": np.eye(3, dtype="float32"), "concentration": SHAPE},
        ref.von_mises_fisher(SHAPE),
        make={"event_shape": 3},
        outside=([1.0, 1.0, 0.0], [0.0, 0.0, 0.0]),
        own_draws=False,
    ),
    Case(
        "LKJCholesky",
        {"concentration": SHAPE},
        ref.lkj(SHAPE.astype("float64")),
        make={"event_shape": 2},
        outside=([[1.0, 0.0], [0.5, 0.5]], [[1.0, 0.1], [0.0, 1.0]]),
    ),
    Case(
        "Wishart",
        {"df": rows(3.0, 4.5, 6.0), "scale_tril": TRIL},
        ref.wishart((3.0, 4.5, 6.0), COV),
        make={"event_shape": 2},
        outside=([[1.0, 2.0], [2.0, 1.0]], [[1.0, 0.5], [0.0, 1.0]]),
    ),
)


PROBS_2 = np.array([[0.3, 0.7], [0.5, 0.5], [0.9, 0.1]], "float32")
LOCS_2 = np.stack([LOC, LOC + 2], axis=-1)
SCALES_2 = np.stack([SCALE, SCALE / 2], axis=-1)
POINTS = np.array([[0.0], [0.5], [2.0]], "float32")


def _kernel(amplitude, length_scale, noise):
    square = (POINTS - POINTS.T) ** 2
    return [
        a**2 * np.exp(-square / (2 * s**2)) + (n + 1e-6) * np.eye(3)
        for a, s, n in zip(amplitude, length_scale, noise, strict=True)
    ]


def _state_space(matrix, step, noise):
    # Joint covariance of a scalar chain z1 ~ N(0, 1), z' = matrix z + N(0, step^2), seen with noise.
    covs = []
    for a, q, r in zip(matrix, step, noise, strict=True):
        variances = [1.0]
        for _ in range(2):
            variances.append(a**2 * variances[-1] + q**2)
        cov = [[variances[min(i, j)] * a ** abs(i - j) for i in range(3)] for j in range(3)]
        covs.append(np.array(cov) + r**2 * np.eye(3))
    return ref.normal_rows(np.zeros((3, 3)), covs)


class _Series:
    # A series of one number per step, whose reference knows vectors.
    def __init__(self, reference):
        self.reference = reference
        self.cdf = stats.norm(0, np.sqrt([c[2, 2] for c in reference.cov()])).cdf

    def logpdf(self, x):
        return self.reference.logpdf(x[..., 0])

    def statistic(self, x):
        return x[..., 2, 0]


def _hidden_markov(loc, scale):
    initial, transition = np.array([0.6, 0.4]), np.array([[0.8, 0.2], [0.3, 0.7]])

    def logpdf(x):
        like = stats.norm.pdf(x[..., None], loc[:, None, :], scale[:, None, :])
        forward = initial * like[..., 0, :]
        for t in range(1, x.shape[-1]):
            forward = (forward @ transition) * like[..., t, :]
        return np.log(forward.sum(-1))

    second = initial @ transition
    cdf = ref.mixture([stats.norm(loc[:, k], scale[:, k]) for k in range(2)], np.tile(second, (3, 1))).cdf
    return ref.Formula(logpdf, cdf, statistic=lambda x: x[..., 1])


STRUCTURED = (
    Case(
        "Mixture",
        {"probs": PROBS_2, "loc": LOCS_2, "scale": SCALES_2},
        ref.mixture([stats.norm(LOCS_2[:, k], SCALES_2[:, k]) for k in range(2)], PROBS_2),
        args=("Normal",),
        learned={"num_components": 2},
    ),
    Case(
        "TransformedDistribution",
        {"loc": LOC, "scale": SCALE},
        ref.logit_normal(LOC, SCALE),
        args=("Normal", "Sigmoid"),
        outside=(-0.5, 1.5),
    ),
    Case(
        "GaussianProcess",
        {
            "amplitude": SCALE,
            "length_scale": SHAPE,
            "mean": LOC,
            "observation_noise_variance": rows(0.1, 0.2, 0.3),
        },
        ref.normal_rows(np.repeat(LOC[:, None], 3, axis=1), _kernel(SCALE, SHAPE, rows(0.1, 0.2, 0.3))),
        make={"index_points": POINTS},
        learned={"event_shape": 3, "index_points": POINTS, "observation_noise_variance": 0.1},
        density=1e-3,
    ),
    Case(
        "LinearGaussianStateSpace",
        {
            "transition_matrix": rows(0.9, 0.5, 1.0)[:, None, None],
            "transition_scale_diag": rows(0.5, 1.0, 0.2)[:, None],
            "observation_scale_diag": rows(0.3, 0.5, 1.0)[:, None],
        },
        _Series(_state_space(rows(0.9, 0.5, 1.0), rows(0.5, 1.0, 0.2), rows(0.3, 0.5, 1.0))),
        make={"event_shape": (3, 1), "observation_matrix": [[1.0]]},
        learned={"event_shape": (3, 1), "num_latents": 2},
        density=1e-3,
    ),
    Case(
        "HiddenMarkovModel",
        {"loc": LOCS_2, "scale": SCALES_2},
        _hidden_markov(LOCS_2, SCALES_2),
        args=("Normal", 5),
        make={"initial_probs": [0.6, 0.4], "transition_probs": [[0.8, 0.2], [0.3, 0.7]]},
        learned={"num_states": 2},
        own_draws=False,
    ),
    Case("Deterministic", {"loc": LOC}, flat=("loc",), bijector=False),
    Case(
        "RandomVariable",
        {"loc": LOC, "scale": SCALE},
        stats.gumbel_r(LOC, SCALE),
        args=("Gumbel",),
    ),
)

CASES = {case.name: case for case in (*REAL, *POSITIVE, *BOUNDED, *COUNTS, *CLASSES, *VECTORS, *STRUCTURED)}
