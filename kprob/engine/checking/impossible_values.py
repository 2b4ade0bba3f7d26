"""Observed values outside their supports, found on the device while a model is trained.

A coin that shows 200 has a density by the formula, and a very good one: nothing becomes infinite. Before the fit, values are
checked by `data_support`: all kinds of the first rows, and the extremes of the others. What that can't know is looked at in
every step: the later batches of a stream, and rows whose support is their own, such as successes out of trials.
"""

from collections.abc import Sequence

import keras

from kprob import distributions
from kprob.distributions.supported_values import support_of
from kprob.distributions.wrappers import unwrapped
from kprob.effects import Site, Trace
from kprob.types import Tensor

IMPOSSIBLE = 1_000_000  # numbers from here on are sites with impossible values; below it are terms that aren't finite


def first_impossible(trace: Trace, sites: Sequence[str], stream: bool) -> Tensor | None:
    """Returns the first observed site with a value outside its support, or -1.

    Args:
        trace: A trace of the generative network.
        sites: Names of its random variables, in the order in which they are numbered.
        stream: Whether the rows are those of a stream, of which only the first batch was checked.

    Returns:
        `IMPOSSIBLE` and the number of the site; None where no site is looked at.
    """
    first: Tensor | None = None
    for number, name in reversed(list(enumerate(sites))):
        inside = _inside(trace[name], stream) if name in trace else None
        if inside is not None:
            before = keras.ops.convert_to_tensor(-1, dtype="int32") if first is None else first
            first = keras.ops.where(inside, before, keras.ops.cast(IMPOSSIBLE + number, "int32"))
    return first


def _inside(site: Site, stream: bool) -> Tensor | None:
    # A site whose parents are summed out has become deterministic, and still has its distribution.
    if site.distribution is None or not site.observed or site.intervened or not site.in_data_plate:
        return None
    if not stream and not _has_own_supports(site):
        return None
    inside = distributions.contains(site.distribution, site.value)
    if inside is None:
        return None
    if site.mask is not None:
        inside = keras.ops.logical_or(inside, keras.ops.logical_not(keras.ops.cast(site.mask, "bool")))
    return keras.ops.all(inside)


def _has_own_supports(site: Site) -> bool:
    # Whether what is possible differs from row to row.
    inner = unwrapped(site.distribution)
    support = support_of(inner)[0]
    bounded = support is not None and not support.fixed
    counted = support is not None and "total_count" in inner.parameters
    return (bounded or counted) and len(inner.batch_shape) > 0
