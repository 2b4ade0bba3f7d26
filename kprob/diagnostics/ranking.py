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
    return folded_scores(draws)[0]


def folded_scores(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the normal scores of draws, and those of their distances from the median, from one sorting."""
    size = draws.shape[0] * draws.shape[1]
    columns = np.ascontiguousarray(draws.reshape(size, -1).T)
    table = _quantiles(size)
    scores, folded = np.empty(columns.shape), np.empty(columns.shape)
    for column, own, of_distance in zip(columns, scores, folded, strict=True):
        order = np.argsort(column)
        ordered = column[order]
        own[order] = table[_twice_mean_ranks(ordered) - 2]
        distances = np.abs(ordered - 0.5 * (ordered[(size - 1) // 2] + ordered[size // 2]))
        # They fall to the median and rise behind it: a stable sort only merges the two runs.
        again = np.argsort(distances, kind="stable")
        of_distance[order[again]] = table[_twice_mean_ranks(distances[again]) - 2]
    return scores.T.reshape(draws.shape), folded.T.reshape(draws.shape)


@functools.lru_cache(maxsize=32)
def _quantiles(size: int) -> np.ndarray:
    # Of the ranks 1, 1.5, 2, ..., size: one table serves all, and its second half mirrors the first one.
    inverse = NormalDist().inv_cdf
    lower = np.array([inverse((rank / 2 - 0.375) / (size + 0.25)) for rank in range(2, size + 1)])
    return np.concatenate([lower, [0.0], -lower[::-1]])


def _twice_mean_ranks(ordered: np.ndarray) -> np.ndarray:
    # Of sorted values: those from one place to the next change share the mean of their ranks.
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    ends = np.append(starts[1:], len(ordered))
    return np.repeat(starts + ends + 1, ends - starts)
