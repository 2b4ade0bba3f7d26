"""The number that stands for what a sampler doesn't have."""

from keras import ops

from kprob.types import Tensor


def nan_like(value: Tensor) -> Tensor:
    """Returns NaN, for what a sampler doesn't have."""
    return ops.full_like(value, float("nan"))
