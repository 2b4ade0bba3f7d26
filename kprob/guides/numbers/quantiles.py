"""Quantiles of a latent whose unconstrained values are normal, through a monotone bijector: exact."""

from collections.abc import Sequence

import numpy as np
from keras import ops

from kprob.backend import tfd
from kprob.errors import KprobError, explain
from kprob.numerics import to_numpy
from kprob.types import Bijector, Tensor


def exact_quantiles(
    marginal: tuple[Tensor, Tensor] | None, bijector: Bijector, levels: np.ndarray
) -> np.ndarray | None:
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
    quantiles = bijector.forward(loc + scale * ops.reshape(places, shape))
    # A decreasing bijector swaps the ends.
    low, high = (bijector.forward(loc + sign * scale) for sign in (-1.0, 1.0))
    if bool(ops.any(low > high)):
        quantiles = bijector.forward(loc - scale * ops.reshape(places, shape))
    return to_numpy(quantiles)


def check_probabilities(probabilities: Sequence[float]) -> np.ndarray:
    """Returns the probabilities of quantiles as an array.

    Raises:
        KprobError: They aren't numbers between 0 and 1.
    """
    levels = np.atleast_1d(np.asarray(probabilities, dtype="float64"))
    if levels.ndim != 1 or not ((levels > 0.0) & (levels < 1.0)).all():
        raise KprobError(
            explain(
                "`quantiles` takes probabilities.",
                received=f"probabilities={probabilities!r}",
                expected="numbers between 0 and 1",
                fix="write quantiles([0.05, 0.5, 0.95])",
            )
        )
    return levels
