"""Simultaneous bands for the empirical distribution function of ranks that ought to be uniform.

Of N uniform ranks, those in the first j of K places are Binomial(N, j/K), and a Markov chain in j. So the probability that
the whole path stays between pointwise quantiles is a sum over paths, and one bisection finds the level of the quantiles at
which it is the one wanted: exactly, where simulation would only come close.
"""

import math

import numpy as np

from kprob.checks import check_count
from kprob.diagnostics.special import binomial_log_probability
from kprob.options import check_number

MOST_POINTS = 100


def ecdf_bands(
    num_simulations: int, num_places: int, probability: float = 0.95
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns bands between which the whole ECDF of uniform ranks lies with a given probability.

    Args:
        num_simulations: Number N of ranks.
        num_places: Values that a rank can have: 0, ..., `num_places` - 1.
        probability: Probability that no point is outside.

    Returns:
        Points in (0, 1), and the lower and upper ends of the ECDF at each; at most 100 points.

    Example:
        ```python
        from kprob.diagnostics import ecdf_bands

        points, lower, upper = ecdf_bands(200, 100)
        assert len(points) == 99 and (lower < points).all() and (points < upper).all()
        ```

    Reference:
        Säilynoja, Bürkner and Vehtari (2022), "Graphical test for discrete uniformity and its applications in
        goodness-of-fit evaluation and multiple sample comparison". arXiv:2103.10522.
    """
    check_count("num_simulations", num_simulations)
    check_count("num_places", num_places, 2)
    check_number("probability", probability, 0.0, 1.0, example=0.95)
    step = max(1, math.ceil(num_places / MOST_POINTS))
    points = np.arange(step, num_places, step) / num_places
    cumulative = np.cumsum(np.exp([binomial_log_probability(num_simulations, z) for z in points]), axis=1)

    def limits(level: float) -> tuple[np.ndarray, np.ndarray]:
        lower = np.sum(cumulative < level / 2, axis=1)
        upper = np.sum(cumulative < 1 - level / 2, axis=1)
        return lower, upper

    low, high = 0.0, 1 - probability
    for _ in range(25):
        middle = (low + high) / 2
        inside = _probability_inside(num_simulations, points, *limits(middle))
        low, high = (low, middle) if inside < probability else (middle, high)
    lower, upper = limits(low)
    return points, lower / num_simulations, upper / num_simulations


def _probability_inside(number: int, points: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> float:
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, number + 1)))])
    counts, weights, before = np.array([0]), np.array([1.0]), 0.0
    for point, low, high in zip(points, lower, upper, strict=True):
        share = (point - before) / (1 - before)
        after = np.arange(low, high + 1)
        more = after[None, :] - counts[:, None]  # of the ranks that are left, so many fall into this step
        left = (number - counts)[:, None]
        possible = (more >= 0) & (more <= left)
        more = np.where(possible, more, 0)
        log_step = log_factorial[left] - log_factorial[more] - log_factorial[left - more]
        log_step = log_step + more * math.log(share) + (left - more) * math.log1p(-share)
        weights = weights @ np.where(possible, np.exp(log_step), 0.0)
        counts, before = after, point
    return float(np.sum(weights))
