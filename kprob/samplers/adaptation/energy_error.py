"""A step size at which the energy's error has a target variance, which bounds the bias of a sampler without rejections.

Reference:
    Robnik, De Luca, Silverstein and Seljak (2023), "Microcanonical Hamiltonian Monte Carlo".
"""

from typing import NamedTuple

import numpy as np
from keras import ops

from kprob.numerics import select
from kprob.types import Tensor

_MEMORY = 10.0, 150.0  # steps that count for the step size: a quarter of all, within these bounds
_TRUST = 1.5


class EnergyErrorTuning(NamedTuple):
    """State of the tuning by the energy's errors, whose variance grows with the step size's sixth power: scalars.

    Attributes:
        step_size: The step size.
        largest: No step size is above it: there the density ended.
        weighted: Weighted sum of error² / step_size⁶.
        weight: Sum of the weights.
        count: Steps that are summed up.
    """

    step_size: Tensor
    largest: Tensor
    weighted: Tensor
    weight: Tensor
    count: Tensor


def start(size: int, dtype: str) -> EnergyErrorTuning:
    """Returns the state before the first step in some dimensions."""
    zero = ops.zeros((), dtype)
    largest = ops.full((), float("inf"), dtype)
    return EnergyErrorTuning(ops.convert_to_tensor(0.25 * np.sqrt(size), dtype), largest, zero, zero, zero)


def update(tuning: EnergyErrorTuning, error: Tensor, ended: Tensor, variance: float) -> EnergyErrorTuning:
    """Returns the state after a step.

    Each step says how large one would have been whose error is as asked for. A chain that began where nearly every step
    ends must not stay with the size that it needed to get away: what was before an end is forgotten.

    Args:
        tuning: The state.
        error: Error of the energy.
        ended: Whether the step led to where the density ends.
        variance: Variance of the errors to tune to.
    """
    ratio = ops.square(error) / variance + 1e-8
    weight = ops.exp(-0.5 * ops.square(ops.log(ratio) / (6.0 * _TRUST)))
    memory = ops.clip(0.25 * tuning.count, *_MEMORY)
    keep = (memory - 1.0) / (memory + 1.0)
    largest = ops.where(ended, 0.8 * tuning.step_size, 1.02 * tuning.largest)
    weighted = keep * tuning.weighted + weight * ratio / tuning.step_size**6
    total = keep * tuning.weight + weight
    best = (ops.maximum(weighted, 1e-30) / ops.maximum(total, 1e-30)) ** (-1.0 / 6.0)
    moved = EnergyErrorTuning(ops.minimum(best, largest), largest, weighted, total, tuning.count + 1.0)
    zero = ops.zeros_like(total)
    return select(ended, EnergyErrorTuning(largest, largest, zero, zero, zero), moved)
