"""Draws of functions and series: Gaussian processes and linear Gaussian state-space models."""

from typing import Any

from keras import ops

from kprob.backend import random, tfd
from kprob.distributions.sampling.draw import draw_shape
from kprob.distributions.sampling.multivariate import linear_normal
from kprob.distributions.supports.finite import static_number
from kprob.types import Distribution, Seed, Shape, Tensor


def gaussian_process(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """A normal vector: the values at the index points."""
    return linear_normal(distribution.get_marginal_distribution(), shape, seed)


def linear_gaussian_series(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """zₜ = A zₜ₋₁ + wₜ for all steps at once, by doubling: after each round an element sums twice as many steps back.

    TFP's own sampler loses the gradient on TensorFlow.
    """
    matrices = [_dense(m) for m in (distribution.transition_matrix, distribution.observation_matrix)]
    steps = static_number(distribution.parameters["num_timesteps"])
    if any(callable(matrix) for matrix in matrices) or steps is None:
        return tfd.BatchBroadcast(distribution, shape).sample(seed=seed)
    seeds, steps = random.split(seed, 3), int(steps)
    states = draw_shape(distribution.initial_state_prior, shape, seeds[0])[None]
    if steps > 1:
        noise = draw_shape(distribution.transition_noise, (steps - 1, *shape), seeds[1])
        states = ops.concatenate([states, noise], axis=0)
    power, shift = matrices[0], 1
    while shift < steps:
        moved = ops.matmul(power, states[:-shift][..., None])[..., 0]
        states = ops.concatenate([states[:shift], states[shift:] + moved], axis=0)
        power, shift = ops.matmul(power, power), 2 * shift
    observed = ops.matmul(matrices[1], states[..., None])[..., 0]
    return ops.moveaxis(observed + draw_shape(distribution.observation_noise, (steps, *shape), seeds[2]), 0, -2)


def _dense(matrix: Any) -> Any:
    return matrix.to_dense() if hasattr(matrix, "to_dense") else matrix
