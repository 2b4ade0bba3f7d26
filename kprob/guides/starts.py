"""Where guides start: each latent's prior median, its mean, a prior draw, or a value that the user gives."""

from collections.abc import Callable

import keras
import numpy as np

from kprob import checks, distributions, effects
from kprob.backend import random
from kprob.distributions.wrappers import unwrapped
from kprob.errors import MismatchError, did_you_mean, explain, names

STARTS = ("median", "mean", "sample")


class Start(effects.Handler):
    """Gives each latent the value that a guide starts from, given the values of those before it.

    Args:
        rule: `site -> "median"`, "mean", "sample" or a value.
    """

    def __init__(self, rule: Callable):
        super().__init__()
        self.rule = rule

    def on_sample(self, site: effects.Site) -> None:
        if site.value is not None or distributions.is_discrete(site.distribution):
            return
        rule = self.rule(site.name)
        if isinstance(rule, str) and rule == "sample":
            return  # the draw that follows is one of the prior
        sizes = tuple(plate.size for plate in site.plates)
        if isinstance(rule, str):
            value = center(site.distribution, rule)
        else:
            value = given_value(site, rule)
        site.value = keras.ops.broadcast_to(value, (*sizes, *site.distribution.event_shape))


def given_value(site: effects.Site, value):
    """Returns a start value that the user gave, cut to the rows of the batch that a guide is made on."""
    value = keras.ops.cast(keras.ops.convert_to_tensor(value), site.distribution.dtype)
    shape = tuple(checks.known_size(plate.size) for plate in site.plates) + tuple(site.distribution.event_shape)
    if has_rows(site, value):
        value = value[: shape[0]]
    if not checks.broadcasts(tuple(value.shape), shape):
        raise MismatchError(
            explain(
                f"The start value for latent `{site.name}` has the wrong shape.",
                received=f"shape {tuple(value.shape)}",
                expected=f"a shape that broadcasts to {shape}: plates {checks.plates_text(site.plates)}, then the event "
                f"shape {tuple(site.distribution.event_shape)}",
                fix=f'reshape it: init={{"{site.name}": value}}',
            )
        )
    inside = distributions.contains(site.distribution, value)
    if inside is not None and not bool(keras.ops.all(inside)):
        raise MismatchError(
            explain(
                f"The start value for latent `{site.name}` is outside its support.",
                received=f"{np.array2string(keras.ops.convert_to_numpy(value), threshold=8)}",
                expected=f"a possible value of a {type(site.distribution).__name__}",
                fix='give a value inside the support, or leave it to the prior: init="median"',
            )
        )
    return value


def has_rows(site: effects.Site, value) -> bool:
    """Whether a given start value is one for each row of the data set."""
    ndims = len(site.plates) + len(site.distribution.event_shape)
    return site.in_data_plate and len(np.shape(value)) == ndims and np.shape(value)[0] > 1


def check_init(init):
    """Returns what a guide was told to start from, checked.

    Raises:
        MismatchError: It is neither one of `STARTS` nor a dict by latent.
    """
    if isinstance(init, dict) or (isinstance(init, str) and init in STARTS):
        return init
    raise MismatchError(
        explain(
            f"A guide can't start from this.{did_you_mean(init, STARTS) if isinstance(init, str) else ''}",
            received=f"init={init!r}",
            expected=f"one of {names(STARTS)}, or a dict of values by latent",
            fix='write init="median"',
        )
    )


def center(distribution, which: str = "median"):
    """Returns the median of a distribution, or its mean, or something like it where it has none.

    Args:
        distribution: A TFP distribution.
        which: "median" or "mean".
    """
    inner = unwrapped(distribution)
    centers = (lambda: inner.quantile(0.5), inner.mean)
    for find in centers if which == "median" else centers[::-1]:
        try:
            value = find()
        except (NotImplementedError, ValueError, TypeError):
            continue
        if bool(keras.ops.all(keras.ops.isfinite(keras.ops.cast(value, "float32")))):
            return value
    # Families without either: the median of some draws, taken where it is in the support.
    draws = distributions.draw(distribution, (15,), random.seed(0))
    if distributions.is_discrete(distribution):
        return draws[0]
    bijector = distributions.support_bijector(distribution)
    return bijector.forward(keras.ops.median(bijector.inverse(draws), axis=0))
