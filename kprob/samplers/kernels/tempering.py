"""One temperature of sequential Monte Carlo: the next power of the likelihood, new particles by weight, and moves."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from kprob.backend import random
from kprob.samplers.kernels.coordinates import to_coordinates, to_position
from kprob.samplers.kernels.impossible import proper
from kprob.samplers.kernels.metropolis import accept_rate
from kprob.types import Seed, Tensor

_BISECTIONS = 40


class TemperedPopulation(NamedTuple):
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


class Particle(NamedTuple):
    """A particle, or many of them along a first axis.

    Attributes:
        position: (d,).
        log_prior: Log-density of the prior there.
        log_likelihood: Log-density of the data there.
    """

    position: Tensor
    log_prior: Tensor
    log_likelihood: Tensor


class TemperingOptions(NamedTuple):
    """How particles go from one temperature to the next.

    Attributes:
        move: `(seed, z, target, step_size) -> MetropolisMove`.
        num_moves: Moves of each particle.
        target_ess: Effective sample size, as a share of the particles, that decides on the next temperature.
        target_accept_rate: Acceptance probability that the step size is tuned to.
        dense_mass: Whether moves follow the particles' full covariance rather than a diagonal.
    """

    move: Callable
    num_moves: int
    target_ess: float
    target_accept_rate: float
    dense_mass: bool


class _WaitingParticle(NamedTuple):
    # A particle that was chosen by weight, before its moves.
    position: Tensor
    seed: Seed


class _MovedParticle(NamedTuple):
    particle: Particle
    accept_rate: Tensor


def population_of_prior(particles: Particle, step_size: float) -> TemperedPopulation:
    """Returns the population at temperature 0.

    Args:
        particles: Draws of the prior.
        step_size: Of the first moves, in standard deviations.
    """
    zero = ops.zeros(())
    return TemperedPopulation(
        *particles,
        temperature=zero,
        log_evidence=zero,
        step_size=zero + step_size,
        accept_rate=zero,
        ess=zero + particles.position.shape[0],
    )


def temper(
    seed: Seed, population: TemperedPopulation, log_terms: Callable, options: TemperingOptions, map_particles: Callable
) -> TemperedPopulation:
    """Returns the population at the next temperature.

    Args:
        seed: A seed.
        population: The particles.
        log_terms: From a position to the logarithms of the prior's density and of the likelihood.
        options: How to go on.
        map_particles: `(function, particles)` runs a function for each particle and stacks what it returns.
    """
    number = population.positions.shape[0]
    likelihood = _finite(population.log_likelihood)
    temperature = next_temperature(likelihood, population.temperature, options.target_ess)
    weights = (temperature - population.temperature) * likelihood
    total = ops.logsumexp(weights)
    shares = ops.exp(weights - total)
    scale = _weighted_scale(population.positions, shares, options.dense_mass)
    chosen = resample(shares, random.fold_in(seed, 0))
    positions = ops.take(population.positions, chosen, axis=0)
    waiting = _WaitingParticle(positions, random.split(random.fold_in(seed, 1), number))

    def tempered(position: Tensor) -> Tensor:
        log_prior, log_likelihood = log_terms(position)
        return log_prior + temperature * log_likelihood

    def move(particle: _WaitingParticle) -> _MovedParticle:
        position, rate = _move(particle, proper(tempered), scale, population.step_size, options)
        return _MovedParticle(Particle(position, *log_terms(position)), rate)

    moved: _MovedParticle = map_particles(move, waiting)
    rate = ops.mean(moved.accept_rate)
    return TemperedPopulation(
        *moved.particle,
        temperature=temperature,
        log_evidence=population.log_evidence + total - float(np.log(number)),
        step_size=population.step_size * ops.exp(2.0 * (rate - options.target_accept_rate)),
        accept_rate=rate,
        ess=1.0 / ops.sum(ops.square(shares)),
    )


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
    indices = ops.searchsorted(ops.cumsum(shares), places)
    return ops.clip(ops.cast(indices, "int32"), 0, number - 1)


def _move(
    particle: _WaitingParticle, log_density: Callable, scale: Tensor, step_size: Tensor, options: TemperingOptions
) -> tuple[Tensor, Tensor]:
    # Where a particle is after all of its moves, and their mean acceptance probability.
    def once(i: Tensor, z: Tensor, rate: Tensor) -> tuple:
        move = options.move(random.fold_in(particle.seed, i), z, target, step_size)
        return i + 1, move.position, rate + accept_rate(move)

    def target(z: Tensor) -> Tensor:
        return log_density(to_position(scale, z))

    z = to_coordinates(scale, particle.position)
    start = (ops.zeros((), "int32"), z, ops.zeros((), keras.backend.standardize_dtype(z.dtype)))
    _, z, rate = ops.while_loop(lambda i, *_: i < options.num_moves, once, start)
    return to_position(scale, z), rate / options.num_moves


def _weighted_scale(positions: Tensor, shares: Tensor, dense: bool) -> Tensor:
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
