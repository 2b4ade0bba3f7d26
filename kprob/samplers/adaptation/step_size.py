"""Dual averaging: a step size under which proposals are accepted at a target rate."""

from typing import NamedTuple

from keras import ops

from kprob.types import Tensor

_GAMMA, _T0, _KAPPA = 0.05, 10.0, 0.75
_REMEMBERED = 200.0


class DualAveraging(NamedTuple):
    """State of dual averaging: scalars.

    Attributes:
        log_now: Logarithm of the step size to try now.
        log_average: Logarithm of the averaged one, to keep after warm-up.
        error: Running mean of how far acceptance fell short.
        count: Updates so far.
        centre: What the logarithm is pulled towards.
    """

    log_now: Tensor
    log_average: Tensor
    error: Tensor
    count: Tensor
    centre: Tensor


def start(log_step: Tensor) -> DualAveraging:
    """Returns the state at the beginning of a window, with step sizes pulled towards ten times the present one."""
    zero = ops.zeros_like(log_step)
    return DualAveraging(log_step, zero, zero, zero, log_step + 2.302585)


def go_on(state: DualAveraging) -> DualAveraging:
    """Returns the state at the beginning of a window whose step sizes will be much like those of the last one.

    The average goes on, and so is taken over many more transitions than a short window has: after a fresh start the step
    sizes of fifty transitions still swing, and their average comes out small. But it forgets sooner what was before.
    """
    return state._replace(count=ops.minimum(state.count, _REMEMBERED))


def update(state: DualAveraging, accept_rate: Tensor, target: float) -> DualAveraging:
    """Returns the state after a transition.

    Args:
        state: The state.
        accept_rate: The transition's acceptance probability.
        target: The acceptance probability to tune to.

    Reference:
        Hoffman and Gelman (2014), "The No-U-Turn sampler".
    """
    count = state.count + 1.0
    weight = 1.0 / (count + _T0)
    error = (1.0 - weight) * state.error + weight * (target - accept_rate)
    log_now = state.centre - ops.sqrt(count) / _GAMMA * error
    share = count**-_KAPPA
    return DualAveraging(log_now, share * log_now + (1.0 - share) * state.log_average, error, count, state.centre)
