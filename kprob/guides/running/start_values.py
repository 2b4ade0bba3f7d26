"""Where guides start: each latent's prior median, its mean, a prior draw, or a value that the user gives."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from kprob import checks, distributions, effects
from kprob.backend import random
from kprob.distributions.wrappers import unwrapped
from kprob.errors import MismatchError, did_you_mean, explain, names
from kprob.types import ArrayLike, Bijector, Distribution, Tensor

STARTS = ("median", "mean", "sample")


class StartValues(effects.Handler):
    """Gives each latent the value that a guide starts from, given the values of those before it.

    Args:
        rule: From a latent's name to "median", "mean", "sample" or a value.
    """

    def __init__(self, rule: Callable[[str], ArrayLike]):
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


def given_value(site: effects.Site, value: ArrayLike) -> Tensor:
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


def has_rows(site: effects.Site, value: ArrayLike) -> bool:
    """Whether a given start value is one for each row of the data set."""
    ndims = len(site.plates) + len(site.distribution.event_shape)
    return site.in_data_plate and len(np.shape(value)) == ndims and np.shape(value)[0] > 1


def unconstrained_start(site: effects.Site, bijector: Bijector, init: ArrayLike, num_data: int | None) -> Tensor:
    """Returns the unconstrained value that a latent starts from; inside the data plate with an axis of rows.

    Args:
        site: The latent, whose value is where it starts in the rows of one batch.
        bijector: From unconstrained values onto its support.
        init: The rule or the value that the user gave for it.
        num_data: Rows of the data set.

    Returns:
        A tensor; its axis of rows has length 1 where they start alike.
    """
    value = site.value
    each_row_given = not isinstance(init, str) and has_rows(site, init)
    if each_row_given:
        value = keras.ops.cast(keras.ops.convert_to_tensor(init), site.distribution.dtype)
    start = keras.ops.convert_to_tensor(bijector.inverse(value))
    start = keras.ops.where(keras.ops.isfinite(start), start, keras.ops.zeros_like(start))
    if site.in_data_plate and not (each_row_given and start.shape[0] == num_data):
        start = keras.ops.mean(start, axis=0, keepdims=True)
    return start


def check_init(init: object) -> str | dict[str, Any]:
    """Returns a guide's argument `init`, checked.

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


def center(distribution: Distribution, which: str = "median") -> Tensor:
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
