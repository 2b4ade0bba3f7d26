"""How far other draws, or weights, move the middle and the width of a distribution, in units of its own.

Means and standard deviations say nothing where tails are heavy, and there q's tails may be lighter than the posterior's on
purpose. So the middle is a mean whose outermost twentieths are drawn in, and the width that of the central 90 %.
"""

from typing import NamedTuple

import numpy as np

LEVELS = (0.05, 0.95)
WIDTH_OF_NORMAL = 3.29  # of its central 90 %, in standard deviations
GROUPS = 8


class Moved(NamedTuple):
    """How far moments move: by column, or of one column the numbers.

    Attributes:
        shift: Of the middle, in standard deviations of where it was.
        ratio: Of the widths, the new one to the one before.
        shift_error: Monte Carlo standard error of the shift.
        ratio_error: That of the ratio's logarithm.
    """

    shift: np.ndarray
    ratio: np.ndarray
    shift_error: np.ndarray
    ratio_error: np.ndarray


def moved_by_draws(before: np.ndarray, after: np.ndarray, num_chains: int) -> Moved:
    """Compares two sets of draws.

    Args:
        before: Draws, shape (S, d).
        after: Other draws (n, d), of which those `num_chains` apart are of one chain.
        num_chains: Chains.

    Returns:
        The moves by column. Their errors are found from groups of draws, so that heavy tails and chains that stay where
        they are make them larger.
    """
    shift, ratio = _compare(before, after)
    chains = after.reshape(-1, num_chains, after.shape[1])
    each = [
        _compare(before[group::GROUPS], chains[:, group::GROUPS].reshape(-1, after.shape[1])) for group in range(GROUPS)
    ]
    shifts, ratios = (np.stack(values) for values in zip(*each, strict=True))
    errors = np.std(shifts, axis=0, ddof=1), np.std(np.log(ratios), axis=0, ddof=1)
    return Moved(shift, ratio, errors[0] / np.sqrt(GROUPS), errors[1] / np.sqrt(GROUPS))


def moved_by_weights(values: np.ndarray, weights: np.ndarray) -> Moved:
    """Compares draws with the same draws weighed, by their means and standard deviations.

    Args:
        values: Draws (S, ...).
        weights: Weights that sum to one over the draws, shape (S,), or (S, B) where each row has its own; then `values` has
            rows along its second axis.

    Returns:
        The moves, each of shape (numbers,), or (B, numbers). What doesn't spread doesn't move.
    """
    number, rows = len(values), weights.shape[1:]
    values = values.astype("float64").reshape(number, *rows, -1)
    share = weights[..., None]
    mean, sd = np.mean(values, axis=0), np.std(values, axis=0)
    weighted = np.sum(share * values, axis=0)
    spread = np.sqrt(np.sum(share * (values - weighted) ** 2, axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.where(sd > 0, (weighted - mean) / sd, 0.0)
        ratio = np.where((sd > 0) & (spread > 0), spread / sd, 1.0)
    # Of weights w of mean one, a mean of w times a standard normal errs by about sd(w) / √S.
    error = np.sqrt(np.maximum(number * np.sum(share**2, axis=0) - 1.0, 0.0) / number)
    return Moved(shift, ratio, error + np.zeros_like(shift), error + np.zeros_like(shift))


def worst_of(moved: Moved, per_row: bool) -> tuple[float, float]:
    """Returns the shift and the ratio of the number that moves most.

    Args:
        moved: The moves of some numbers.
        per_row: Whether they are of many rows: then those of the one in the middle, since single rows are named by their k-hat.
    """
    shift, ratio = moved.shift, moved.ratio
    if not shift.size:
        return 0.0, 1.0
    if per_row:
        return float(np.median(shift)), float(np.median(ratio))
    worst = int(np.argmax(np.abs(shift) + np.abs(np.log(ratio))))
    return float(shift.ravel()[worst]), float(ratio.ravel()[worst])


def widths_by_weights(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the shift of the median and the ratio of the central 90 %'s widths that weights make, by column.

    Args:
        values: Draws (S, d).
        weights: Weights that sum to one over the draws, of the same shape.
    """
    order = np.argsort(values, axis=0)
    ordered, reached = np.take_along_axis(values, order, axis=0), np.cumsum(np.take_along_axis(weights, order, 0), 0)

    def quantile(level: float) -> np.ndarray:
        place = np.minimum(np.sum(reached < level, axis=0), len(values) - 1)
        return np.take_along_axis(ordered, place[None], axis=0)[0]

    low, middle, high = quantile(LEVELS[0]), quantile(0.5), quantile(LEVELS[1])
    own = np.quantile(values, [LEVELS[0], 0.5, LEVELS[1]], axis=0)
    width = np.maximum(own[2] - own[0], 1e-30)
    return WIDTH_OF_NORMAL * (middle - own[1]) / width, np.maximum(high - low, 1e-30) / width


def _compare(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    (low, high), (new_low, new_high) = (np.quantile(draws, LEVELS, axis=0) for draws in (before, after))
    width, new_width = np.maximum(high - low, 1e-30), np.maximum(new_high - new_low, 1e-30)
    ends = np.minimum(low, new_low), np.maximum(high, new_high)
    shift = np.mean(np.clip(after, *ends), axis=0) - np.mean(np.clip(before, *ends), axis=0)
    return WIDTH_OF_NORMAL * shift / width, new_width / width
