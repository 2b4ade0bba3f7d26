"""One temperature of sequential Monte Carlo: the next power of the likelihood, new particles by weight, and moves."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from kprob.backend import compile_function, map_draws, random
from kprob.density import LogDensity
from kprob.samplers.adaptation import mass_matrix
from kprob.samplers.kernels import moves
from kprob.samplers.smc import SMC
from kprob.types import Seed, Tensor

_BISECTIONS = 40


class Population(NamedTuple):
    """Particles at a temperature.

    Attributes:
        positions: (particles, d).
        log_prior: (particles,).
        log_likelihood: (particles,).
        temperature: Power of the likelihood, from 0 to 1.
        log_evidence: Logarithm of the mean of likelihood^temperature under the prior.
        step_size: Of the next moves, in standard deviations.
        accept_rate: Mean acceptance probability of the last moves.
        ess: Effective sample size of the last weights.
    """

    positions: Tensor
    log_prior: Tensor
    log_likelihood: Tensor
    temperature: Tensor
    log_evidence: Tensor
    step_size: Tensor
    accept_rate: Tensor
    ess: Tensor


def make_start(sampler: SMC, density: LogDensity, variables: Callable) -> Callable:
    """Compiles `start(seed, batch)`, which returns particles of the prior."""

    def once(seed: Seed, batch: dict) -> dict[str, Tensor]:
        position = density.draw_prior(batch, seed)
        log_prior, log_likelihood = density.parts(position, batch)
        return {"positions": position, "log_prior": log_prior, "log_likelihood": log_likelihood}

    def start(seed: Seed, batch: dict) -> Population:
        seeds = random.split(seed, sampler.num_particles)
        drawn = map_draws(lambda key: once(key, batch), seeds, variables())
        zero = ops.zeros(())
        step_size = 0.5 * density.size**-0.25 if sampler.moves == "hmc" else 2.4 / np.sqrt(density.size)
        return Population(**drawn, temperature=zero, log_evidence=zero, step_size=zero + step_size, accept_rate=zero,
                          ess=zero + sampler.num_particles)  # fmt: skip

    return compile_function(start, variables)


def make_stage(sampler: SMC, density: LogDensity, variables: Callable) -> Callable:
    """Compiles `stage(seed, population, batch)`, which returns the population at the next temperature."""

    def stage(seed: Seed, population: Population, batch: dict) -> Population:
        likelihood = _finite(population.log_likelihood)
        temperature = next_temperature(likelihood, population.temperature, sampler.target_ess)
        weights = (temperature - population.temperature) * likelihood
        total = ops.logsumexp(weights)
        shares = ops.exp(weights - total)
        scale = _scale(population.positions, shares, sampler.dense_mass)
        chosen = resample(shares, random.fold_in(seed, 0))
        positions = ops.take(population.positions, chosen, axis=0)
        seeds = random.split(random.fold_in(seed, 1), sampler.num_particles)

        def once(particle: dict) -> dict[str, Tensor]:
            return _moved(sampler, density, batch, particle, temperature, scale, population.step_size)

        moved = map_draws(once, {"position": positions, "seed": seeds}, variables())
        rate = ops.mean(moved.pop("rate"))
        return Population(
            **moved,
            temperature=temperature,
            log_evidence=population.log_evidence + total - float(np.log(sampler.num_particles)),
            step_size=population.step_size * ops.exp(2.0 * (rate - sampler.accept_rate)),
            accept_rate=rate,
            ess=1.0 / ops.sum(ops.square(shares)),
        )

    return compile_function(stage, variables, jit=True)


def next_temperature(log_likelihood: Tensor, temperature: Tensor, target_ess: float) -> Tensor:
    """Returns the temperature, at most 1, at which the weights' effective sample size is a share of the particles.

    Args:
        log_likelihood: Of the particles.
        temperature: The present one.
        target_ess: The share.
    """

    def ess_share(upper: Tensor) -> Tensor:
        weights = ops.exp(_centred((upper - temperature) * log_likelihood))
        return ops.square(ops.mean(weights)) / ops.mean(ops.square(weights))

    def halve(i: Tensor, low: Tensor, high: Tensor) -> tuple:
        middle = 0.5 * (low + high)
        enough = ess_share(middle) >= target_ess
        return i + 1, ops.where(enough, middle, low), ops.where(enough, high, middle)

    one = ops.ones_like(temperature)
    _, low, high = ops.while_loop(lambda i, *_: i < _BISECTIONS, halve, (ops.zeros((), "int32"), temperature, one))
    # The upper end, so that the temperature rises even where it hardly can.
    return ops.where(ess_share(one) >= target_ess, one, high)


def resample(shares: Tensor, seed: Seed) -> Tensor:
    """Returns which particles go on, by systematic resampling (Kitagawa 1996): indices (particles,)."""
    number = shares.shape[0]
    dtype = keras.backend.standardize_dtype(shares.dtype)
    start = ops.reshape(random.uniform((1,), seed, dtype), ())
    places = (ops.arange(number, dtype=dtype) + start) / number
    found = ops.searchsorted(ops.cumsum(shares), places)
    return ops.clip(ops.cast(found, "int32"), 0, number - 1)


def _moved(
    sampler: SMC,
    density: LogDensity,
    batch: dict,
    particle: dict,
    temperature: Tensor,
    scale: Tensor,
    step_size: Tensor,
) -> dict[str, Tensor]:
    def target(z: Tensor) -> Tensor:
        log_prior, log_likelihood = density.parts(mass_matrix.to_position(scale, z), batch)
        value = log_prior + temperature * log_likelihood
        return ops.where(ops.isnan(value), ops.full_like(value, -float("inf")), value)

    def once(i: Tensor, z: Tensor, rate: Tensor) -> tuple:
        move = sampler.move(random.fold_in(particle["seed"], i), z, target, step_size)
        return i + 1, move.position, rate + moves.accept_rate(move)

    z = mass_matrix.to_coordinates(scale, particle["position"])
    start = (ops.zeros((), "int32"), z, ops.zeros((), keras.backend.standardize_dtype(z.dtype)))
    _, z, rate = ops.while_loop(lambda i, *_: i < sampler.num_moves, once, start)
    position = mass_matrix.to_position(scale, z)
    log_prior, log_likelihood = density.parts(position, batch)
    rate = rate / sampler.num_moves
    return {"positions": position, "log_prior": log_prior, "log_likelihood": log_likelihood, "rate": rate}


def _scale(positions: Tensor, shares: Tensor, dense: bool) -> Tensor:
    mean = ops.sum(shares[:, None] * positions, axis=0)
    centred = positions - mean
    if not dense:
        return ops.sqrt(ops.sum(shares[:, None] * ops.square(centred), axis=0) + 1e-10)
    covariance = ops.matmul(ops.transpose(shares[:, None] * centred), centred)
    ridge = 1e-4 * ops.mean(ops.diagonal(covariance)) + 1e-10
    return ops.cholesky(covariance + ridge * ops.eye(covariance.shape[0], dtype=covariance.dtype))


def _finite(log_likelihood: Tensor) -> Tensor:
    # Impossible data at a particle: a weight of zero at every temperature above 0.
    lowest = ops.full_like(log_likelihood, -1e30)
    return ops.where(ops.isnan(log_likelihood), lowest, ops.maximum(log_likelihood, lowest))


def _centred(log_weights: Tensor) -> Tensor:
    return log_weights - ops.max(log_weights)
