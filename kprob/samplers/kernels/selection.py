"""Choices between states, and the number that stands for what a sampler doesn't have."""

from typing import TypeVar

import keras
from keras import ops

from kprob.types import Tensor

State = TypeVar("State")


def choose(condition: Tensor, new: State, old: State) -> State:
    """Returns one of two states of the same structure: the new one where the condition holds, else the old one."""
    return keras.tree.map_structure(lambda a, b: ops.where(condition, a, b), new, old)


def nan_like(value: Tensor) -> Tensor:
    """Returns NaN, for what a sampler doesn't have."""
    return ops.full_like(value, float("nan"))
