"""Discrete families."""

import keras

from kprob.backend import batch_shape, random, tfd
from kprob.distributions.family import Family, Parameter, register_family


def _bernoulli(distribution, sample_shape, seed):
    shape = (*sample_shape, *batch_shape(distribution))
    uniform = random.uniform(shape, seed, "float32")
    return keras.ops.cast(uniform < distribution.probs_parameter(), distribution.dtype)


register_family(
    Family(
        "Bernoulli",
        # Values are floats, so that they enter a network as they are.
        lambda **parameters: tfd.Bernoulli(dtype="float32", **parameters),
        {"logits": Parameter(0.0), "probs": Parameter(None, "unit")},
        alternatives=(("logits", "probs"),),
        discrete=True,
        dtype="float32",
        distribution_class=tfd.Bernoulli,
        sampler=_bernoulli,
        contains=lambda d, x: (x == 0) | (x == 1),
        enumerate=lambda d: keras.ops.reshape(keras.ops.arange(2, dtype=d.dtype), (2, *[1] * len(d.batch_shape))),
    )
)
