"""The windows of the warm-up, Stan's: when the mass matrix is learned, and when it is renewed."""

import numpy as np

_FIRST, _LAST, _BASE = 75, 50, 25


def windows(num_warmup: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns in which transitions positions count for the mass matrix, and after which it is renewed.

    A first stretch only finds the typical set and a step size; then windows that double in length, each of which gives
    the next one its mass matrix; a last stretch fits the step size to the final one.

    Args:
        num_warmup: Transitions of the warm-up.

    Returns:
        Two boolean arrays of length `num_warmup`.

    Reference:
        Stan Development Team, "Stan Reference Manual", section on automatic parameter tuning.
    """
    slow, closing = np.zeros(num_warmup, bool), np.zeros(num_warmup, bool)
    if num_warmup < 20:
        return slow, closing
    first, last, base = _FIRST, _LAST, _BASE
    if first + base + last > num_warmup:
        first, last = int(0.15 * num_warmup), int(0.1 * num_warmup)
        base = num_warmup - first - last
    slow[first : num_warmup - last] = True
    end = first
    while end < num_warmup - last:
        end += base
        base *= 2
        if end + base > num_warmup - last:  # the next window wouldn't fit any more
            end = num_warmup - last
        closing[end - 1] = True
    return slow, closing
