"""The windows of the warm-up, Stan's: when the mass matrix is learned, and when it is renewed."""

import numpy as np
from keras import ops

from kprob.types import Tensor

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


class WarmupWindows:
    """The windows of a warm-up, to be looked up by a transition's number inside a compiled program.

    Args:
        num_warmup: Transitions of the warm-up; none after it is in a window.
        length: Transitions that the windows share among them, from the first on; all of the warm-up by default.
    """

    def __init__(self, num_warmup: int, length: int | None = None):
        slow, closing = windows(num_warmup if length is None else length)
        after = np.zeros(num_warmup + 1 - len(slow), bool)
        self.num_warmup = num_warmup
        self._slow, self._closing = np.append(slow, after), np.append(closing, after)

    @property
    def ends(self) -> list[int]:
        """The transitions after which windows end."""
        return np.flatnonzero(self._closing).tolist()

    def at(self, iteration: Tensor) -> tuple[Tensor, Tensor]:
        """Returns whether a transition's position counts for the mass matrix, and whether a window ends after it."""
        index = ops.minimum(iteration, self.num_warmup)
        counts = ops.take(ops.convert_to_tensor(self._slow), index)
        return counts, ops.take(ops.convert_to_tensor(self._closing), index)
