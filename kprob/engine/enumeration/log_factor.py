"""A site's density as a factor of the sum: for a latent that is summed out, of all its own values at once."""

from collections.abc import Mapping

import keras
import numpy as np

from kprob import distributions
from kprob.backend import tfd
from kprob.effects import Site
from kprob.engine.enumeration.summed_variable import SummedVariable
from kprob.types import Distribution, Tensor

ops = keras.ops


def log_factor(site: Site, variables: Mapping[str, SummedVariable]) -> Tensor:
    """Returns a site's log-density without the factor that handlers scale it by.

    Args:
        site: The site.
        variables: The latents that are summed out, by name.

    Returns:
        Shape `plate_shape`; for one of the latents `(number of values,) + plate_shape`, where axes of plates may have
        length 1.
    """
    if site.name in variables:
        return _of_all_values(site, variables[site.name].values)
    return site.masked(site.value if site.is_factor else site.distribution.log_prob(site.value))


def _of_all_values(site: Site, values: np.ndarray) -> Tensor:
    distribution = site.distribution
    while distributions.is_a(distribution, tfd.BatchBroadcast):
        distribution = distribution.distribution
    log = _log_weights(distribution)
    if log is None:
        batch_ndims = len(distribution.batch_shape)
        shape = (len(values), *[1] * batch_ndims, *values.shape[1:])
        log = distribution.log_prob(ops.cast(ops.convert_to_tensor(values.reshape(shape)), distribution.dtype))
    for _ in range(1 + len(site.plates) - len(log.shape)):
        log = ops.expand_dims(log, 1)
    # A masked element has no effect: all its values are equally probable, so that their sum is 1.
    return site.masked(log, -float(np.log(len(values))))


def _log_weights(distribution: Distribution) -> Tensor | None:
    # Categorical distributions have their log-probabilities at hand; `log_prob` would repeat them for each class.
    if not any(distributions.is_a(distribution, cls) for cls in (tfd.Categorical, tfd.OneHotCategorical)):
        return None
    return ops.moveaxis(log_softmax(distribution.logits_parameter()), -1, 0)


def log_softmax(logits: Tensor) -> Tensor:
    """Returns logarithms of probabilities, along the last axis."""
    return logits - ops.logsumexp(logits, axis=-1, keepdims=True)
