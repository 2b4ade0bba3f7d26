"""Chains cut in halves, and draws replaced by the normal scores of their ranks."""

import functools
from statistics import NormalDist

import numpy as np

from kprob.errors import KprobError, explain

LEAST_DRAWS = 4


def split_chains(draws: np.ndarray) -> np.ndarray:
    """Returns twice as many chains of half the length; the middle draw of an odd number is left out.

    Raises:
        KprobError: These are no chains.
    """
    draws = np.asarray(draws, "float64")
    if draws.ndim < 2 or draws.shape[1] < LEAST_DRAWS:
        raise KprobError(
            explain(
                "Diagnostics of Markov chains take the draws of each chain.",
                received=f"an array of shape {draws.shape}",
                expected=f"shape (chains, draws, ...), with {LEAST_DRAWS} draws or more",
                fix="add the axis of chains, draws[None], where there is one chain",
            )
        )
    half = draws.shape[1] // 2
    return np.concatenate([draws[:, :half], draws[:, -half:]])


def normal_scores(draws: np.ndarray) -> np.ndarray:
    """Replaces draws by the normal quantiles of their ranks among all chains (Blom 1958); ties share the mean rank."""
    chains, number = draws.shape[:2]
    size = chains * number
    flat = draws.reshape(size, -1)
    scores = np.empty_like(flat)
    table = _quantiles(size)
    for column in range(flat.shape[1]):
        scores[:, column] = table[_twice_mean_ranks(flat[:, column]) - 2]
    return scores.reshape(draws.shape)


@functools.lru_cache(maxsize=32)
def _quantiles(size: int) -> np.ndarray:
    # Of the ranks 1, 1.5, 2, ..., size: one table serves all, and its second half mirrors the first one.
    inverse = NormalDist().inv_cdf
    lower = np.array([inverse((rank / 2 - 0.375) / (size + 0.25)) for rank in range(2, size + 1)])
    return np.concatenate([lower, [0.0], -lower[::-1]])


def _twice_mean_ranks(values: np.ndarray) -> np.ndarray:
    order = np.argsort(values)
    ordered = values[order]
    ranks = np.empty(len(values), int)
    if (ordered[1:] > ordered[:-1]).all():
        ranks[order] = np.arange(2, 2 * len(values) + 1, 2)
        return ranks
    _, position, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (2 * np.cumsum(counts) - (counts - 1))[position]
