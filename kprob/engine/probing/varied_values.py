"""Values of the prior that are unlike given ones, for trials in which equal values would hide what looks at them."""

from collections.abc import Mapping

import keras
import numpy as np

from kprob import distributions
from kprob.backend import random
from kprob.distributions.wrappers import unwrapped
from kprob.effects import Handler, Site
from kprob.guides.running.start_values import center
from kprob.numerics import to_numpy
from kprob.types import Distribution, Tensor


class VariedValues(Handler):
    """Gives discrete sites values that differ from given ones in every place, and in their sum if there are such.

    Sites that only TFP can draw get values around their centre, another one in each place: TFP's samplers compile for seconds.

    Args:
        unlike: Values by name that others are to differ from.
    """

    def __init__(self, unlike: Mapping[str, Tensor]):
        super().__init__()
        self.unlike = unlike

    def on_sample(self, site: Site) -> None:
        if site.value is not None:
            return
        if distributions.is_discrete(site.distribution):
            if site.name in self.unlike:
                site.value = _other(site.distribution, self.unlike[site.name])
            return
        family = distributions.family_of(unwrapped(site.distribution))
        if family is not None and family.sampler is None:
            site.value = _around_center(site)


def _around_center(site: Site) -> Tensor:
    bijector = distributions.support_bijector(site.distribution)
    middle = bijector.inverse(center(site.distribution))
    event = tuple(bijector.inverse_event_shape(site.distribution.event_shape))
    shape = (*(plate.size for plate in site.plates), *event)
    noise = random.normal(shape, random.fresh_seed() if site.seed is None else site.seed)
    return bijector.forward(middle + 0.5 * keras.ops.cast(noise, middle.dtype))


def _other(distribution: Distribution, value: Tensor) -> Tensor:
    before = to_numpy(value)
    support = distributions.enumerate_support(distribution)
    if support is None:
        return keras.ops.convert_to_tensor(before + np.ones((), before.dtype))
    points, ndims = to_numpy(support), len(distribution.event_shape)
    first, last = (np.broadcast_to(point, before.shape) for point in (points[0], points[-1]))
    is_first = np.expand_dims(
        np.all((before == first).reshape(*before.shape[: before.ndim - ndims], -1), -1), (*range(-ndims, 0),)
    )
    candidates = [np.where(is_first, last, first), last, first]
    differing = [c for c in candidates if not np.array_equal(c.sum(0), before.sum(0))] if before.ndim else candidates
    return keras.ops.convert_to_tensor((differing or candidates)[0].astype(before.dtype))
