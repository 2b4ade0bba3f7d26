"""A Markov transition as pure functions, and what it reports."""

from collections.abc import Callable
from typing import NamedTuple

from kprob.types import Tensor

# A trajectory whose energy is off by more diverges, as in Stan.
MAX_ENERGY_ERROR = 1000.0


class Info(NamedTuple):
    """What a transition reports: scalars, or one number for each chain where the kernel moves all of them.

    Attributes:
        log_density: Log-density at the new position.
        accept_rate: Mean acceptance probability of its proposals.
        step_size: Step size that it used.
        num_steps: Leapfrog steps, or proposals.
        tree_depth: Doublings of the trajectory; 0 where there is no tree.
        diverging: 1 where the energy error passed all bounds, else 0.
        energy: Energy at the new position, for E-BFMI; NaN where there is none.
    """

    log_density: Tensor
    accept_rate: Tensor
    step_size: Tensor
    num_steps: Tensor
    tree_depth: Tensor
    diverging: Tensor
    energy: Tensor


def unchanged(state: Tensor) -> Tensor:
    """Returns a state as it is."""
    return state


class Kernel(NamedTuple):
    """A Markov transition on vectors, as pure functions.

    Attributes:
        init: `(vector) -> state`, a named tuple of tensors with the fields `position` and `iteration`.
        step: `(seed, state) -> (state, Info)`.
        refresh: `(state) -> state` renews what a state remembers of the density, such as the gradient at its position, where
            the density has changed since; most states remember nothing.
    """

    init: Callable
    step: Callable
    refresh: Callable = unchanged
