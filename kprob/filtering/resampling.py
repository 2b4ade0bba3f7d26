"""Resampling of particles: which of them go on, each as often as its weight says, on average.

N places in (0, 1) choose the particles by the cumulated weights. Places that are more even than independent ones add less
noise: systematic resampling moves all of a regular grid by one uniform number, stratified resampling draws one place in each
of N equal parts, multinomial resampling draws all independently. (Douc and Cappé 2005, "Comparison of resampling schemes for
particle filtering".)
"""

from collections.abc import Callable

from keras import ops

from kprob.backend import random
from kprob.types import Seed, Shape, Tensor

SCHEMES = ("systematic", "stratified", "multinomial")


def resample(weights: Tensor, seed: Seed, scheme: str = "systematic") -> Tensor:
    """Returns the particles that go on, as indices along the last axis.

    Args:
        weights: Weights that sum to 1 along the last axis, shape (..., N): each row is resampled by itself.
        seed: A seed.
        scheme: "systematic", "stratified" or "multinomial".
    """
    cumulated = ops.cumsum(weights, axis=-1)
    # Exactly 1 at the end, whatever rounding does, so that no place lies beyond the last particle that has a weight.
    cumulated = cumulated / cumulated[..., -1:]
    return first_at_least(cumulated, _PLACES[scheme](tuple(weights.shape), seed))


def first_at_least(sorted_values: Tensor, levels: Tensor) -> Tensor:
    """Returns for each number the index of the first value in its row that isn't smaller, by bisection.

    Args:
        sorted_values: Rising along the last axis, shape (..., N).
        levels: The numbers, shape (..., M), each at most the last value of its row.
    """
    last = sorted_values.shape[-1] - 1
    low = ops.zeros_like(levels, dtype="int32")
    high = low + last
    for _ in range(last.bit_length()):
        middle = (low + high) // 2
        enough = ops.take_along_axis(sorted_values, middle, axis=-1) >= levels
        low, high = ops.where(enough, low, ops.minimum(middle + 1, last)), ops.where(enough, middle, high)
    return high


def _systematic(shape: Shape, seed: Seed) -> Tensor:
    return (ops.arange(shape[-1], dtype="float32") + random.uniform((*shape[:-1], 1), seed)) / shape[-1]


def _stratified(shape: Shape, seed: Seed) -> Tensor:
    return (ops.arange(shape[-1], dtype="float32") + random.uniform(shape, seed)) / shape[-1]


def _multinomial(shape: Shape, seed: Seed) -> Tensor:
    return random.uniform(shape, seed)


_PLACES: dict[str, Callable[[Shape, Seed], Tensor]] = {
    "systematic": _systematic,
    "stratified": _stratified,
    "multinomial": _multinomial,
}
