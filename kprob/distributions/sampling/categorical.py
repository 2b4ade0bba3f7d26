"""Draws of classes: as integers, as one-hot vectors, and relaxed."""

from keras import ops

from kprob.distributions.corrected import relaxed
from kprob.distributions.sampling.noise import gumbel_noise, logistic_noise
from kprob.types import Distribution, Seed, Shape, Tensor


def class_index(logits: Tensor, shape: Shape, seed: Seed) -> Tensor:
    """Draws classes from logits (..., K) by Gumbel noise: int32 of a shape."""
    noise = gumbel_noise((*shape, logits.shape[-1]), seed, logits.dtype)
    return ops.cast(ops.argmax(logits + noise, axis=-1), "int32")


def categorical(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """The class with the largest logit after Gumbel noise."""
    return ops.cast(class_index(distribution.logits_parameter(), shape, seed), distribution.dtype)


def one_hot_categorical(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """A categorical draw as a vector."""
    logits = distribution.logits_parameter()
    return ops.one_hot(class_index(logits, shape, seed), logits.shape[-1], dtype=distribution.dtype)


def ordered_logistic(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """The number of cutpoints below a logistic number."""
    latent = distribution.loc + logistic_noise(shape, seed, distribution.loc.dtype)
    above = latent[..., None] > distribution.cutpoints
    return ops.sum(ops.cast(above, distribution.dtype), axis=-1)


def finite_discrete(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """The outcome of a categorical draw."""
    logits = distribution.logits_parameter()
    mask = ops.one_hot(class_index(logits, shape, seed), logits.shape[-1], dtype=distribution.dtype)
    return ops.sum(mask * distribution.outcomes, axis=-1)


def relaxed_bernoulli(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """sigmoid((logits + logistic noise) / temperature)."""
    logits = distribution.logits_parameter()
    noise = logistic_noise(shape, seed, logits.dtype)
    return relaxed.relaxed_sigmoid((logits + noise) / distribution.temperature)


def relaxed_one_hot(distribution: Distribution, shape: Shape, seed: Seed) -> Tensor:
    """softmax((logits + Gumbel noise) / temperature)."""
    logits = distribution.logits_parameter()
    noise = gumbel_noise((*shape, logits.shape[-1]), seed, logits.dtype)
    return relaxed.relaxed_softmax((logits + noise) / distribution.temperature[..., None])
