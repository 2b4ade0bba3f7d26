"""Distribution functions that NumPy lacks, good to ten digits in the ranges met here."""

import math

import numpy as np


def chi_squared_tail(value: float, degrees: int) -> float:
    """Returns the probability that a chi-squared variable is larger: a finite sum for a whole number of degrees."""
    half = value / 2
    if half <= 0:
        return 1.0
    if degrees % 2:
        total, first = math.erfc(math.sqrt(half)), 0.5
    else:
        total, first = 0.0, 0.0
    powers = [first + i for i in range((degrees - (1 if degrees % 2 else 0)) // 2)]
    total += sum(math.exp(power * math.log(half) - half - math.lgamma(power + 1)) for power in powers)
    return min(total, 1.0)


def binomial_log_probability(number: int, probability: float) -> np.ndarray:
    """Returns the log-probabilities of 0, 1, ..., `number` successes."""
    counts = np.arange(number + 1)
    if probability <= 0 or probability >= 1:
        return np.where(counts == (0 if probability <= 0 else number), 0.0, -np.inf)
    gammas = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, number + 1)))])
    choose = gammas[number] - gammas - gammas[::-1]
    return choose + counts * math.log(probability) + (number - counts) * math.log1p(-probability)


def beta_quantile(probability: float, a: float, b: float) -> float:
    """Returns a quantile of the beta distribution, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _beta_cdf(middle, a, b) < probability else (low, middle)
    return (low + high) / 2


def _beta_cdf(x: float, a: float, b: float) -> float:
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # where the fraction below converges slowly, its mirror image doesn't
        return 1 - _beta_cdf(1 - x, b, a)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    # Lentz's evaluation of the continued fraction (Press et al. 2007, section 6.4).
    tiny = 1e-300
    c, d = 1.0, 1 / max(1 - (a + b) * x / (a + 1), tiny)
    value = d
    for m in range(1, 1000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / (1 + term * d or tiny)
            c = 1 + term / c or tiny
            value *= d * c
        if abs(d * c - 1) < 1e-13:
            break
    return math.exp(front) * value / a
