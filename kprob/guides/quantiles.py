"""Quantiles of a latent whose unconstrained values are normal, through a monotone bijector: exact."""

import numpy as np
from keras import ops

from kprob.backend import tfd
from kprob.numerics import to_numpy


def exact_quantiles(marginal: tuple | None, bijector, levels: np.ndarray) -> np.ndarray | None:
    """Returns quantiles along a new first axis, or None where they aren't known exactly.

    Args:
        marginal: Mean and standard deviation of the unconstrained values, or None where they aren't normal.
        bijector: From unconstrained values onto the support; None where it differs from run to run.
        levels: The probabilities.
    """
    if marginal is None or bijector is None:
        return None
    if bijector.forward_min_event_ndims or bijector.inverse_min_event_ndims:
        return None  # a vector's elements depend on each other
    loc, scale = (ops.convert_to_tensor(value) for value in marginal)
    shape = (len(levels), *[1] * len(loc.shape))
    places = ops.cast(tfd.Normal(0.0, 1.0).quantile(levels.astype("float32")), loc.dtype)
    found = bijector.forward(loc + scale * ops.reshape(places, shape))
    # A decreasing bijector swaps the ends.
    low, high = (bijector.forward(loc + sign * scale) for sign in (-1.0, 1.0))
    if bool(ops.any(low > high)):
        found = bijector.forward(loc - scale * ops.reshape(places, shape))
    return to_numpy(found)
