"""Masks, scales and log-weights: what a user may multiply a site's log-density by, or add to it, and of which shape.

Numbers that are known before running are checked here. Numbers that are only known on the device, such as a covariate, make
the log-density NaN where they are impossible, so that the objective's first term that isn't finite names the site.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import keras
import numpy as np

from kprob import checks
from kprob.backend import executing_eagerly, float_type, is_tensor
from kprob.checks import plates_text
from kprob.errors import SiteError, explain
from kprob.types import ArrayLike, Tensor

ops = keras.ops

NUMERIC = "biuf"  # kinds of NumPy's types


class WeighedSite(Protocol):
    """What is asked of a site here.

    Attributes:
        name: Its name.
        plates: The plates around it.
    """

    name: str
    plates: Any


def checked_mask(site: WeighedSite, mask: ArrayLike) -> Tensor:
    """Returns a mask as a tensor: boolean, or of zeros and ones that are only known when running.

    Args:
        site: The first site that it is for, for messages.
        mask: What the user wrote.

    Raises:
        SiteError: It is no mask.
    """
    expected = "a boolean or a boolean tensor: which elements count"
    numbers = _numeric(site, "mask", mask, expected, "compare the values, such as `mask=values > 0`")
    if numbers is None:
        return mask
    odd = ~((numbers == 0) | (numbers == 1))
    if odd.any():
        received = f"{numbers[odd].ravel()[0]}, and {int(odd.sum())} of {numbers.size} values that are neither 0 nor 1"
        fix = "compare the values, such as `mask=values > 0`; a weight between 0 and 1 is `kprob.handlers.scale(factor=weight)`"
        raise SiteError(_wrong(site, "mask", received, expected, fix))
    return ops.convert_to_tensor(numbers != 0)


def checked_scale(site: WeighedSite, factor: ArrayLike) -> Tensor:
    """Returns a scale as a float or a tensor.

    Args:
        site: The first site that it is for, for messages.
        factor: What the user wrote.

    Raises:
        SiteError: It is no scale.
    """
    expected = "a finite number that isn't negative, or a tensor of them"
    numbers = _numeric(site, "scale", factor, expected, "write `factor=2.0`")
    if numbers is None:
        factor = ops.cast(factor, float_type())
        return ops.where(
            ops.logical_and(factor >= 0.0, ops.isfinite(factor)), factor, ops.full_like(factor, float("nan"))
        )
    odd = ~(np.isfinite(numbers) & (numbers >= 0))
    if odd.any():
        received = f"{numbers[odd].ravel()[0]}" + (f", and {int(odd.sum())} such values" if numbers.ndim else "")
        fix = "take the absolute value or drop the elements by a weight of 0; a term to subtract is kprob.factor"
        raise SiteError(_wrong(site, "scale", received, expected, fix))
    if is_tensor(factor):
        return factor
    return ops.convert_to_tensor(numbers, float_type()) if numbers.ndim else float(numbers)


def check_fits(site: WeighedSite, weight: Tensor, what: str) -> None:
    """Checks that a mask or a scale fits a site.

    Args:
        site: The site.
        weight: The mask or the scale.
        what: Which of the two.

    Raises:
        SiteError: It doesn't broadcast to the site's plates.
    """
    shape = tuple(getattr(weight, "shape", ()))
    sizes = tuple(checks.known_size(plate.size) for plate in site.plates)
    if not checks.broadcasts(shape, sizes):
        raise SiteError(
            explain(
                f"The {what} around site `{site.name}` doesn't fit its plates: {plates_text(site.plates)}.",
                received=f"a {what} of shape {shape}",
                expected=f"a shape that broadcasts to {sizes}, aligned right: one value for each element of the plates",
                fix=_shape_fix(site, what, shape, sizes),
            )
        )


def one_for_each_element(site: WeighedSite, log_prob: Tensor) -> Tensor:
    """Returns a site's log-density with one number for each element of its plates.

    Args:
        site: The site.
        log_prob: Its log-density.

    Raises:
        SiteError: It has others.
    """
    sizes = tuple(checks.known_size(plate.size) for plate in site.plates)
    shape = tuple(log_prob.shape)
    if shape == sizes or (checks.shapes_fit(shape, sizes) and 1 not in shape):
        return log_prob
    if checks.broadcasts(shape, sizes):
        return keras.ops.broadcast_to(log_prob, tuple(plate.size for plate in site.plates)) if sizes else log_prob
    raise SiteError(
        explain(
            f"The log-density of site `{site.name}` doesn't fit its plates: {plates_text(site.plates)}.",
            received=f"a log-density of shape {shape}",
            expected=f"{sizes}: one number for each element of the plates",
            fix="give `log_prob` of the distribution the shape of its batch, or open plates for these axes",
        )
    )


def checked_log_weight(name: str, log_weight: ArrayLike, plates: Sequence[Any]) -> Tensor:
    """Returns the log-weight of a factor as a tensor of the plates' shape.

    Args:
        name: The factor's name.
        log_weight: What the user wrote.
        plates: The open plates.

    Raises:
        SiteError: It is no number, or doesn't fit the plates.
    """
    numbers = _numbers(log_weight)
    if numbers is not None and numbers.dtype.kind not in NUMERIC:
        raise SiteError(
            explain(
                f"The log-weight of factor `{name}` is no number.",
                received=_shown(log_weight),
                expected="a number, or a tensor of one number for each element of the open plates",
                fix=f'write kprob.factor("{name}", -1.0)',
            )
        )
    return checks.broadcast_to_plates(name, ops.cast(ops.convert_to_tensor(log_weight), float_type()), plates)


def _numbers(value: Any) -> np.ndarray | None:
    # None where they are only known when running; an array of objects where there are none.
    if not is_tensor(value):
        try:
            return np.asarray(value)
        except Exception:  # noqa: BLE001  (a symbolic tensor within a list, say)
            return None
    if not executing_eagerly():
        return None
    try:
        return np.asarray(ops.convert_to_numpy(value))
    except Exception:  # noqa: BLE001  (a tensor that is being traced)
        return None


def _numeric(site: WeighedSite, what: str, value: Any, expected: str, fix: str) -> np.ndarray | None:
    # The numbers of a mask or a scale, where they are known.
    numbers = _numbers(value)
    if numbers is not None and numbers.dtype.kind not in NUMERIC:
        raise SiteError(_wrong(site, what, _shown(value), expected, fix))
    return numbers


def _wrong(site: WeighedSite, what: str, received: str, expected: str, fix: str) -> str:
    return explain(f"The {what} around site `{site.name}` is none.", received=received, expected=expected, fix=fix)


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} of type {type(value).__name__}"


def _shape_fix(site: WeighedSite, what: str, shape: tuple, sizes: tuple) -> str:
    setting = "mask" if what == "mask" else "factor"
    if site.plates and len(shape) == len(sizes) + 1 and shape[-1] == 1:
        return f"drop the last axis, `{setting}={setting}[:, 0]`"
    if not sizes:
        return f"open the handler around the sites inside the plate alone, or give `{setting}` one number"
    if len(shape) == len(sizes) and site.plates[0].is_data:
        return (
            f"make the {what} an argument of the network: it is then looked up in the data by its name, and split into "
            "batches with the rest"
        )
    if len(shape) > len(sizes):
        return (
            f"a {what} is about elements of plates, not about numbers of one value: open a plate for the further axes "
            f'(kprob.plate("pixels", {shape[-1]})), or reduce `{setting}` over them'
        )
    return f"give `{setting}` one value for each element of the plates, or one for all of them"
