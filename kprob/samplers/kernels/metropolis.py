"""Metropolis moves as pure functions: a random walk, Langevin's, and a Hamiltonian trajectory of a few steps."""

from collections.abc import Callable
from typing import NamedTuple

import keras
from keras import ops

from kprob.backend import gradients, random
from kprob.samplers.kernels.impossible import impossible_if_nan
from kprob.samplers.kernels.not_a_number import nan_like
from kprob.types import Seed, Tensor


class MetropolisMove(NamedTuple):
    """The result of a proposal, accepted or not.

    Attributes:
        position: Where the chain stands now (d,).
        log_density: Log-density there.
        log_ratio: Logarithm of the proposal's acceptance ratio, -inf where it was NaN.
        energy: Energy at the proposal's beginning; NaN where there is none.
    """

    position: Tensor
    log_density: Tensor
    log_ratio: Tensor
    energy: Tensor


def random_walk(seed: Seed, position: Tensor, target: Callable, step_size: Tensor) -> MetropolisMove:
    """Proposes a normal step of a length.

    Args:
        seed: A seed.
        position: Where the chain stands (d,).
        target: From a vector to its log-density.
        step_size: Standard deviation of the step.
    """
    proposal = position + step_size * _normal(position, random.fold_in(seed, 0))
    before, after = target(position), target(proposal)
    return _accept(random.fold_in(seed, 1), position, proposal, before, after, after - before, nan_like(before))


def langevin(seed: Seed, position: Tensor, target: Callable, step_size: Tensor) -> MetropolisMove:
    """Proposes a step up the gradient with noise: x + step² / 2 · gradient + step · noise."""
    before, (gradient,) = gradients(target, position)
    noise = _normal(position, random.fold_in(seed, 0))
    drift = 0.5 * ops.square(step_size)
    proposal = position + drift * gradient + step_size * noise
    after, (back,) = gradients(target, proposal)
    returning = (position - proposal - drift * back) / step_size
    log_ratio = after - before + 0.5 * (ops.sum(ops.square(noise)) - ops.sum(ops.square(returning)))
    return _accept(random.fold_in(seed, 1), position, proposal, before, after, log_ratio, nan_like(before))


def hamiltonian(
    seed: Seed, position: Tensor, target: Callable, step_size: Tensor, num_steps: int | Tensor
) -> MetropolisMove:
    """Proposes the end of a Hamiltonian trajectory of `num_steps` leapfrog steps."""
    momentum = _normal(position, random.fold_in(seed, 0))
    before, (gradient,) = gradients(target, position)

    def leapfrog(i: Tensor, z: Tensor, p: Tensor, value: Tensor, slope: Tensor) -> tuple:
        p = p + 0.5 * step_size * slope
        z = z + step_size * p
        value, (slope,) = gradients(target, z)
        return i + 1, z, p + 0.5 * step_size * slope, value, slope

    start = (ops.zeros((), "int32"), position, momentum, before, gradient)
    _, proposal, end, after, _ = ops.while_loop(lambda i, *_: i < num_steps, leapfrog, start)
    energy = 0.5 * ops.sum(ops.square(momentum)) - before
    log_ratio = energy - 0.5 * ops.sum(ops.square(end)) + after
    return _accept(random.fold_in(seed, 1), position, proposal, before, after, log_ratio, energy)


def accept_rate(move: MetropolisMove) -> Tensor:
    """Returns the probability with which the proposal was accepted."""
    return ops.exp(ops.minimum(move.log_ratio, 0.0))


def _normal(position: Tensor, seed: Seed) -> Tensor:
    return random.normal(tuple(position.shape), seed, keras.backend.standardize_dtype(position.dtype))


def _accept(
    seed: Seed, position: Tensor, proposal: Tensor, before: Tensor, after: Tensor, log_ratio: Tensor, energy: Tensor
) -> MetropolisMove:
    log_ratio = impossible_if_nan(log_ratio)  # inf - inf, too
    dtype = keras.backend.standardize_dtype(position.dtype)
    accepted = ops.log(ops.reshape(random.uniform((1,), seed, dtype), ())) < log_ratio
    return MetropolisMove(
        ops.where(accepted, proposal, position), ops.where(accepted, after, before), log_ratio, energy
    )
