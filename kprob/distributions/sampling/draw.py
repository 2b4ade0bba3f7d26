"""Draws from any TFP distribution, by kprob's own samplers wherever they reach, else by TFP's.

Wrappers (`Independent`, `BatchBroadcast`, `Masked`, `TransformedDistribution`, `MixtureSameFamily`) are looked through,
so that a family inside them is drawn in the same quick way.
"""

from keras import ops

from kprob.backend import batch_shape, random, tfd
from kprob.distributions.registry import family_of, is_a
from kprob.distributions.sampling.categorical import class_index
from kprob.types import Distribution, Seed, Shape, Tensor

_WRAPPERS = (tfd.Independent, tfd.BatchBroadcast, tfd.Masked, tfd.TransformedDistribution)


def draw(distribution: Distribution, sample_shape: Shape, seed: Seed) -> Tensor:
    """Draws from a distribution, differentiably where it is reparameterised.

    Args:
        distribution: A TFP distribution.
        sample_shape: Leading shape of independent draws; entries may be tensors.
        seed: A seed of `kprob.backend.random`.

    Returns:
        Values of shape `sample_shape + batch_shape + event_shape`.
    """
    if _has_own_sampler(distribution):
        return draw_shape(distribution, (*sample_shape, *batch_shape(distribution)), seed)
    return distribution.sample(sample_shape, seed=seed)


def draw_shape(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """Draws values of a sample and batch shape to which the distribution's own batch shape broadcasts.

    Args:
        distribution: A TFP distribution.
        shape: The sample and batch shape; entries may be tensors.
        seed: A seed of `kprob.backend.random`.

    Returns:
        Values of shape `shape + event_shape`.
    """
    shape = tuple(shape)
    if not _has_own_sampler(distribution):
        return tfd.BatchBroadcast(distribution, shape).sample(seed=seed)
    family = family_of(distribution)
    if family is not None and family.sampler is not None:
        return family.sampler(distribution, shape, seed)
    if is_a(distribution, tfd.MixtureSameFamily):
        return _draw_mixture(distribution, shape, seed)
    inner = distribution.distribution
    if is_a(distribution, tfd.Independent):
        own = batch_shape(inner)
        ndims = len(distribution.event_shape) - len(inner.event_shape)
        return draw_shape(inner, (*shape, *own[len(own) - ndims :]), seed)
    value = draw_shape(inner, shape, seed)
    return distribution.bijector.forward(value) if is_a(distribution, tfd.TransformedDistribution) else value


def _draw_mixture(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    # A value of every component, and of these the one that the class drawn says.
    seeds = random.split(seed, 2)
    components, classes = distribution.components_distribution, distribution.mixture_distribution
    logits = classes.logits_parameter()
    number = logits.shape[-1]
    values = draw_shape(components, (*shape, number), seeds[0])
    index = class_index(logits, shape, seeds[1])
    event_ndims = len(components.event_shape)
    mask = ops.one_hot(index, number, dtype="bool")
    mask = ops.reshape(mask, (*ops.shape(mask), *[1] * event_ndims))
    return ops.sum(ops.where(mask, values, ops.zeros_like(values)), axis=-1 - event_ndims)


def _has_own_sampler(distribution: Distribution) -> bool:
    # Whether the values come from kprob's own samplers, wrappers included.
    family = family_of(distribution)
    if family is not None and family.sampler is not None:
        return True
    if is_a(distribution, tfd.MixtureSameFamily):
        implicit = distribution.reparameterization_type == tfd.FULLY_REPARAMETERIZED
        return not implicit and _has_own_sampler(distribution.components_distribution)
    return any(is_a(distribution, wrapper) for wrapper in _WRAPPERS) and _has_own_sampler(distribution.distribution)
