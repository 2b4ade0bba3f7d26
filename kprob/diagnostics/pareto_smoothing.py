"""Pareto-smoothed importance sampling.

Importance weights w_s = p(z_s)/q(z_s) have a right tail like a generalised Pareto distribution's. Its shape k̂ says whether
q covers p: the weights have finite variance for k < 1/2, and above 0.7 no practicable number of draws helps. Putting the
fitted quantiles in place of the largest weights removes most of their noise.
"""

from dataclasses import dataclass

import numpy as np

from kprob.checks import check_count
from kprob.diagnostics.generalized_pareto import fit_generalized_pareto, generalized_pareto_quantile
from kprob.options import check_number

TAIL_AT_LEAST = 5
GOOD_K = 0.7
# Of weights of which so many count, no mean is off by more than a quarter of q's standard deviations (Cauchy and Schwarz: by at
# most the root of χ² = 1 / share - 1). Then it doesn't matter what shape their far tail has, which k-hat is about.
EVEN_SHARE = 0.94


@dataclass(frozen=True)
class Smoothed:
    """Smoothed importance weights.

    Attributes:
        log_weights: Logarithms of weights that sum to one over the draws, axis 0.
        k_hat: Shape of the tail; infinite where there are too few draws to tell.
        ess: Effective number of draws.
        k_hat_error: Standard error of `k_hat`, that of a tail's shape found from as many draws: (1 + k) / √M.
    """

    log_weights: np.ndarray
    k_hat: np.ndarray
    ess: np.ndarray
    k_hat_error: np.ndarray

    @property
    def fail(self) -> np.ndarray:
        """Whether the weights can't be relied on: k-hat is above 0.7, and they aren't even either."""
        return (self.k_hat > GOOD_K) & (self.ess < EVEN_SHARE * len(self.log_weights))

    @property
    def weights(self) -> np.ndarray:
        """The weights themselves."""
        return np.exp(self.log_weights)


def pareto_smooth(log_weights: np.ndarray, relative_efficiency: float = 1.0) -> Smoothed:
    """Smooths importance weights.

    Args:
        log_weights: log p − log q of each draw, shape (S,), or (S, ...) for several sets of weights.
        relative_efficiency: Effective over actual number of draws, where the draws are of a Markov chain.

    Returns:
        The smoothed weights, k̂ and the effective sample size of each set.

    Example:
        ```python
        import numpy as np
        from kprob.diagnostics import pareto_smooth

        x = np.random.default_rng(0).normal(size=4000)  # q = N(0, 1), p = N(0, 0.8): q is wider
        smoothed = pareto_smooth(-0.5 * (x / 0.8) ** 2 + 0.5 * x**2)
        assert smoothed.k_hat < 0.5 and abs(smoothed.weights @ x**2 - 0.64) < 0.05
        ```

    Reference:
        Vehtari, Simpson, Gelman, Yao and Gabry (2024), "Pareto smoothed importance sampling". arXiv:1507.02646.
    """
    check_number("relative_efficiency", relative_efficiency, 0.0, example=1.0)
    log_weights = np.asarray(log_weights, "float64")
    flat = log_weights.reshape(len(log_weights), -1)
    columns = [_smooth(column, relative_efficiency) for column in flat.T]
    smoothed = np.stack([weights for weights, _ in columns], axis=-1).reshape(log_weights.shape)
    k_hat = np.array([k for _, k in columns]).reshape(log_weights.shape[1:])
    error = np.maximum(1.0 + k_hat, 0.5) / np.sqrt(max(1, _tail_size(len(log_weights), relative_efficiency)))
    return Smoothed(smoothed, k_hat, 1 / np.sum(np.exp(2 * smoothed), axis=0), error)


def systematic_resample(weights: np.ndarray, number: int, generator: np.random.Generator) -> np.ndarray:
    """Returns indices of draws, each as often as its weight says but for rounding, in random order.

    Args:
        weights: Weights that sum to one, shape (S,).
        number: Indices to return.
        generator: Source of random numbers.

    Example:
        ```python
        import numpy as np
        from kprob.diagnostics import systematic_resample

        chosen = systematic_resample(np.array([0.5, 0.0, 0.5]), 10, np.random.default_rng(0))
        assert sorted(chosen) == [0] * 5 + [2] * 5
        ```
    """
    check_count("number", number)
    points = (generator.uniform() + np.arange(number)) / number
    ends = np.cumsum(weights)
    chosen = np.searchsorted(ends / ends[-1], points, side="right")
    return generator.permutation(np.minimum(chosen, len(weights) - 1))


def _smooth(log_weights: np.ndarray, relative_efficiency: float) -> tuple[np.ndarray, float]:
    number = len(log_weights)
    shifted = log_weights - np.max(log_weights)
    tail = _tail_size(number, relative_efficiency)
    order = np.argsort(shifted, kind="stable")
    smoothed, k = shifted.copy(), np.inf
    if np.all(np.isfinite(shifted)) and np.ptp(shifted) < 1e-9:
        k = -np.inf  # one weight for all: q is p
    elif tail >= TAIL_AT_LEAST:
        threshold = max(shifted[order[-tail - 1]], np.log(np.finfo("float64").tiny))
        rest = order[-tail:]
        rest = rest[shifted[rest] > threshold]
        if len(rest) >= TAIL_AT_LEAST:
            k, scale = fit_generalized_pareto(np.exp(shifted[rest]) - np.exp(threshold))
            if np.isfinite(k):
                quantiles = generalized_pareto_quantile((np.arange(len(rest)) + 0.5) / len(rest), k, scale)
                smoothed[rest] = np.minimum(np.log(quantiles + np.exp(threshold)), 0.0)
    total = np.log(np.sum(np.exp(smoothed)))
    return smoothed - total, k


def _tail_size(number: int, relative_efficiency: float) -> int:
    return int(np.ceil(min(0.2 * number, 3 * np.sqrt(number / relative_efficiency))))
