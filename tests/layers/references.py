"""The right answers for random variables: SciPy's distributions, and formulas where SciPy has none.

Each reference has `logpdf(x)` for x of shape (..., rows) + event, and, for numbers, `cdf(x)`; arrays have `mean()` and
`cov()` per row instead, or the `cdf` of a number that `statistic` makes of them.
"""

import numpy as np
from scipy import special, stats


class Rows:
    """One SciPy distribution of vectors or matrices for each row of a batch."""

    def __init__(self, *distributions, mean=None, cov=None, statistic=None, cdf=None):
        self.distributions, self._mean, self._cov = distributions, mean, cov
        if statistic is not None:
            self.statistic, self.cdf = statistic, cdf

    def logpdf(self, x):
        kind = "logpdf" if hasattr(self.distributions[0], "logpdf") else "logpmf"
        rows = zip(self.distributions, np.moveaxis(np.asarray(x, "float64"), 1, 0), strict=True)
        return np.array([[getattr(d, kind)(one) for one in draws] for d, draws in rows]).T

    def mean(self):
        return self._mean

    def cov(self):
        return self._cov


class Formula:
    """A distribution by its log-density and its distribution function or its moments."""

    def __init__(self, logpdf, cdf=None, mean=None, cov=None, statistic=None):
        self.logpdf = logpdf
        self._mean, self._cov = mean, cov
        if cdf is not None:
            self.cdf = cdf
        if statistic is not None:
            self.statistic = statistic

    def mean(self):
        return self._mean

    def cov(self):
        return self._cov


class Discrete:
    """A distribution of counts by its probabilities: `logpmf` of whole numbers."""

    def __init__(self, logpmf):
        self.logpdf = logpmf

    def cdf(self, x):
        top = int(np.max(x)) + 1
        below = np.cumsum(np.exp([self.logpdf(np.full(np.shape(x)[-1:], float(k))) for k in range(top + 1)]), axis=0)
        below = np.concatenate([np.zeros((1, below.shape[1])), below])
        return np.take_along_axis(below, np.asarray(x).astype(int) + 1, axis=0)


def half_student_t(df, loc, scale):
    full = stats.t(df, loc, scale)
    return Formula(lambda x: np.log(2) + full.logpdf(x), lambda x: 2 * full.cdf(x) - 1)


def kumaraswamy(concentration1, concentration0):
    a, b = concentration1, concentration0
    return Formula(
        lambda x: np.log(a * b) + (a - 1) * np.log(x) + (b - 1) * np.log1p(-(x**a)), lambda x: 1 - (1 - x**a) ** b
    )


def sinh_arcsinh(loc, scale, skewness, tailweight):
    unit = np.sinh(np.arcsinh(2.0) * tailweight) / 2

    def normal(x):
        y = (x - loc) / scale * unit
        return np.sinh(np.arcsinh(y) / tailweight - skewness)

    def logpdf(x):
        y = (x - loc) / scale * unit
        slope = np.cosh(np.arcsinh(y) / tailweight - skewness) / tailweight / np.sqrt(1 + y**2) * unit / scale
        return stats.norm.logpdf(normal(x)) + np.log(slope)

    return Formula(logpdf, lambda x: stats.norm.cdf(normal(x)))


def horseshoe(scale):
    def average(function):
        # Over the half-Cauchy factor w = tan(angle).
        angles, weights = np.polynomial.legendre.leggauss(4000)
        angles = (angles + 1) * np.pi / 4
        return lambda x: sum(
            weight / 2 * function(np.asarray(x, "float64"), scale * np.tan(angle))
            for angle, weight in zip(angles, weights, strict=True)
        )

    density = average(lambda x, s: stats.norm.pdf(x, 0, s))
    return Formula(lambda x: np.log(density(x)), average(lambda x, s: stats.norm.cdf(x, 0, s)))


def zero_inflated(logpmf, weight):
    def inflated(x):
        zero = np.where(x == 0, np.log(weight) * np.ones_like(x), -np.inf)
        return np.logaddexp(zero, np.log1p(-weight) + logpmf(x))

    return Discrete(inflated)


def by_probs(probs, outcomes=None):
    """A class index, or one of `outcomes`, with probabilities (rows, K)."""
    outcomes = np.arange(probs.shape[-1]) if outcomes is None else np.asarray(outcomes)

    def logpmf(x):
        hit = np.isclose(np.asarray(x)[..., None], outcomes)
        with np.errstate(divide="ignore"):
            return np.log(np.sum(hit * probs, axis=-1))

    def cdf(x):
        return np.sum((outcomes <= np.asarray(x)[..., None] + 1e-6) * probs, axis=-1)

    return Formula(logpmf, cdf)


def ordered(cutpoints, loc):
    above = special.expit(loc[:, None] - cutpoints)
    above = np.concatenate([np.ones_like(above[:, :1]), above, np.zeros_like(above[:, :1])], axis=1)
    return by_probs(above[:, :-1] - above[:, 1:])


def one_hot(probs):
    rows = [np.diag(p) - np.outer(p, p) for p in probs]
    return Formula(lambda x: np.sum(x * np.log(probs), axis=-1), mean=probs, cov=np.array(rows))


def relaxed_bernoulli(temperature, logits):
    def logpdf(x):
        jacobian = np.log(temperature) - np.log(x) - np.log1p(-x)
        return stats.logistic.logpdf(temperature * special.logit(x), logits) + jacobian

    return Formula(logpdf, lambda x: stats.logistic.cdf(temperature * special.logit(x), logits))


def relaxed_one_hot(temperature, logits):
    number = logits.shape[-1]

    def logpdf(x):
        t = temperature[:, None]
        own = logits - (t + 1) * np.log(x)
        total = special.logsumexp(logits - t * np.log(x), axis=-1)
        constant = special.gammaln(number) + (number - 1) * np.log(temperature)
        return constant + np.sum(own, axis=-1) - number * total

    # The difference of two Gumbel numbers is logistic.
    gap = stats.logistic((logits[:, 0] - logits[:, 1]) / temperature, 1 / temperature)
    return Formula(logpdf, gap.cdf, statistic=lambda x: np.log(x[..., 0]) - np.log(x[..., 1]))


def mixture(components, probs):
    """A mixture of K references of numbers with weights (rows, K)."""

    def logpdf(x):
        parts = [np.log(probs[:, k]) + c.logpdf(x) for k, c in enumerate(components)]
        return special.logsumexp(parts, axis=0)

    return Formula(logpdf, lambda x: sum(probs[:, k] * c.cdf(x) for k, c in enumerate(components)))


def logit_normal(loc, scale):
    normal = stats.norm(loc, scale)
    return Formula(
        lambda x: normal.logpdf(special.logit(x)) - np.log(x) - np.log1p(-x), lambda x: normal.cdf(special.logit(x))
    )


def normal_rows(means, covs):
    """A multivariate normal for each row."""
    return Rows(*(stats.multivariate_normal(m, c) for m, c in zip(means, covs, strict=True)), mean=means, cov=covs)


def lkj(concentration):
    """The Cholesky factor of a 2 x 2 correlation matrix: its last row is (r, sqrt(1 - r^2))."""

    def logpdf(x):
        return (2 * concentration - 2) * np.log(x[..., 1, 1]) - special.betaln(0.5, concentration)

    correlation = stats.beta(concentration, concentration, loc=-1, scale=2)
    return Formula(logpdf, correlation.cdf, statistic=lambda x: x[..., 1, 0])


def von_mises_fisher(concentration):
    """Unit vectors in space, around the first axis in the first row, the second in the second, ..."""
    k = concentration.astype("float64")
    return Rows(
        *(stats.vonmises_fisher(np.eye(3)[i], k[i]) for i in range(3)),
        statistic=lambda x: np.diagonal(x, axis1=-2, axis2=-1),
        cdf=lambda t: (np.exp(k * t) - np.exp(-k)) / (np.exp(k) - np.exp(-k)),
    )


def wishart(df, scales):
    """Matrices, whose last element on the diagonal is a scaled chi-squared number."""
    scales = scales.astype("float64")
    last = stats.chi2(np.array(df), scale=scales[:, 1, 1])
    rows = (stats.wishart(d, s) for d, s in zip(df, scales, strict=True))
    return Rows(*rows, statistic=lambda x: x[..., 1, 1], cdf=last.cdf)
