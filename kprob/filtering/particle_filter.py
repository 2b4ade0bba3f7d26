"""A particle filter: sequential importance sampling with resampling, along the steps of a `scan`.

    ẑ_t^i ~ q(z_t | z_{t-1}^i, y),    w_t^i = W_{t-1}^i p(y_t | ẑ_t^i) p(ẑ_t^i | z_{t-1}^i) / q(ẑ_t^i | z_{t-1}^i, y)

W are the weights divided by their sum; where their effective sample size is low, particles are resampled by weight first.
The product over t of the sums of w_t^i is an unbiased estimate of p(y_1, ..., y_T). With q = p, the bootstrap filter, weights
are the observations' densities alone.
"""

import math
from collections.abc import Container
from typing import Any, NamedTuple

import keras

from kprob.backend import accumulate, random
from kprob.effects import Site, Steps, Trace
from kprob.filtering.resampling import resample
from kprob.types import Seed, Tensor

ops, tree = keras.ops, keras.tree


class ParticleCloud(NamedTuple):
    """Particles between two steps; the particles' axis is where the steps have that of time.

    Attributes:
        generative: What the steps of p returned.
        inference: What the steps of q returned, or an empty tuple.
        log_weights: Normalised weights' logarithms, (*plates, N).
    """

    generative: Any
    inference: Any
    log_weights: Tensor


class FilterStep(NamedTuple):
    """What a filter reports of each step; stacked, the axis of steps leads.

    Attributes:
        log_likelihood: Log of the estimate of p(y_t | y_1, ..., y_{t-1}), (*plates,).
        ess: Effective sample size of the weights, (*plates,).
        resampled: Whether particles were resampled before the step, 1 or 0, (*plates,).
        log_weights: Normalised, (*plates, N).
        values: Values of latents and of what follows from them by name, (*plates, N, *event).
    """

    log_likelihood: Tensor
    ess: Tensor
    resampled: Tensor
    log_weights: Tensor
    values: dict[str, Tensor]


class _StepInputs(NamedTuple):
    # What one step of a network gets besides the state: elements of `Steps.xs`, and values of sites that have some.
    x: Any = ()
    known: Any = ()


class _Element(NamedTuple):
    generative: _StepInputs
    inference: _StepInputs
    seed: Seed


class _FilterState(NamedTuple):
    particles: ParticleCloud
    step: FilterStep | None = None


def filter_particles(
    generative: Steps, inference: Steps | None, start: ParticleCloud, seed: Seed, scheme: str, ess_threshold: float
) -> FilterStep:
    """Runs the filter in one loop.

    Args:
        generative: Steps of p.
        inference: Steps of q, which propose; None for those of p.
        start: The particles before the first step.
        seed: A seed.
        scheme: How to resample.
        ess_threshold: Share of the particles; a smaller effective sample size makes the filter resample.
    """
    axis, number = generative.axis, start.log_weights.shape[-1]

    def each_step(steps: Steps | None) -> _StepInputs:
        inputs = _StepInputs() if steps is None else _StepInputs(steps.xs, steps.known)
        return tree.map_structure(lambda value: ops.moveaxis(value, axis, 0), inputs)

    def for_each_particle(value: Tensor) -> Tensor:
        return ops.repeat(ops.expand_dims(value, axis), number, axis=axis)

    def once(state: _FilterState, element: _Element) -> _FilterState:
        p = tree.map_structure(for_each_particle, element.generative)
        q = tree.map_structure(for_each_particle, element.inference)
        seeds = [random.fold_in(element.seed, i) for i in range(3)]
        particles, resampled = renew(state.particles, seeds[0], scheme, ess_threshold)
        carry, log_q, proposed = particles.inference, 0.0, {}
        if inference is not None:
            carry, proposal = inference.run(carry, q.x, q.known, seeds[1], number)
            proposed = {name: proposal[name].value for name in inference.missing}
            log_q = sum(log_prob_of(proposal[name], axis) for name in proposed)
        values = {**proposed, **p.known}
        following, trace = generative.run(particles.generative, p.x, values, seeds[2], number)
        log_weights, log_likelihood = normalise(particles.log_weights + _log_p(trace, values, axis) - log_q)
        step = FilterStep(
            log_likelihood, effective_size(log_weights), resampled, log_weights, _latent_values(trace, p.known)
        )
        return _FilterState(ParticleCloud(following, carry, log_weights), step)

    elements = _Element(each_step(generative), each_step(inference), random.split(seed, generative.length))
    first = once(_FilterState(start), tree.map_structure(lambda value: value[0], elements))
    empty = tree.map_structure(ops.zeros_like, first.step)
    return accumulate(once, _FilterState(start, empty), elements).step


def _latent_values(trace: Trace, known: Container[str]) -> dict[str, Tensor]:
    # Of latents, and of what follows from them.
    return {
        site.name: site.value
        for site in trace.sites.values()
        if site.is_variable and not site.observed and site.name not in known
    }


def renew(particles: ParticleCloud, seed: Seed, scheme: str, ess_threshold: float) -> tuple[ParticleCloud, Tensor]:
    """Resamples the particles by weight in those rows whose effective sample size is low.

    Returns:
        The particles, and 1 for each row that was resampled, else 0.
    """
    number = particles.log_weights.shape[-1]
    low = effective_size(particles.log_weights) < ess_threshold * number
    chosen = resample(ops.exp(particles.log_weights), seed, scheme)
    same = ops.zeros_like(chosen) + ops.arange(number, dtype="int32")
    chosen = ops.where(low[..., None], chosen, same)

    def take(value: Tensor) -> Tensor:
        rank = len(value.shape)
        return ops.take_along_axis(
            value, ops.reshape(chosen, (*chosen.shape, *[1] * (rank - len(chosen.shape)))), axis=len(chosen.shape) - 1
        )

    even = ops.full_like(particles.log_weights, -math.log(number))
    log_weights = ops.where(low[..., None], even, particles.log_weights)
    p, q = tree.map_structure(take, particles.generative), tree.map_structure(take, particles.inference)
    return ParticleCloud(p, q, log_weights), ops.cast(low, "float32")


def normalise(log_weights: Tensor) -> tuple[Tensor, Tensor]:
    """Returns weights that sum to 1 along the last axis, and the sum, as logarithms.

    Where no particle is possible the sum is 0, and the weights are even, so that the others of a batch go on.
    """
    worst = ops.full_like(log_weights, -float("inf"))
    log_weights = ops.where(ops.isnan(log_weights), worst, log_weights)
    total = ops.logsumexp(log_weights, axis=-1)
    possible = total > -float("inf")
    even = ops.full_like(log_weights, -math.log(log_weights.shape[-1]))
    safe = ops.where(possible, total, ops.zeros_like(total))
    return ops.where(possible[..., None], log_weights - safe[..., None], even), total


def effective_size(log_weights: Tensor) -> Tensor:
    """Returns the effective sample size 1/Σ W² of normalised weights."""
    return ops.exp(-ops.logsumexp(2.0 * log_weights, axis=-1))


def log_prob_of(site: Site, axis: int) -> Tensor:
    """Returns a site's log-density for each particle: plates inside the steps are summed over."""
    log_prob = site.log_prob()
    inner = tuple(range(axis + 1, len(log_prob.shape)))
    return ops.sum(log_prob, axis=inner) if inner else log_prob


def _log_p(trace: Trace, values: Container[str], axis: int) -> Tensor:
    # Of what was drawn from p, p/q is 1.
    total = 0.0
    for site in trace.weighed_sites():
        if site.is_factor or site.observed or site.name in values:
            total = total + log_prob_of(site, axis)
    return total
