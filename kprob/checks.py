"""Contracts of names, shapes and plates, with messages that name the site, its plates, what came and how to mend it."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np

from kprob.errors import DataError, KprobError, MismatchError, SiteError, did_you_mean, explain, names
from kprob.types import ArrayLike, Distribution, Shape, Tensor

# Whole numbers up to here are exact in a type of floats.
_EXACT_UP_TO = {"bfloat16": 2**8, "float16": 2**11, "float32": 2**24, "float64": 2**53}
# The names in `kprob.distributions.CONSTRAINTS`.
CONSTRAINTS = (
    "real",
    "positive",
    "at_least_one",
    "unit",
    "simplex",
    "ordered",
    "unit_vector",
    "lower_triangular",
    "positive_definite",
)


def check_count(what: str, value: object, at_least: int = 1, error: type[KprobError] = KprobError) -> None:
    """Raises where what should be a number of things isn't one.

    Args:
        what: Name of the argument.
        value: What came.
        at_least: The smallest number allowed.
        error: Class of the error.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < at_least:
        kind = "a positive int" if at_least == 1 else f"an int of {at_least} or more"
        raise error(
            explain(
                f"`{what}` must be {kind}.",
                received=f"{what}={value!r}",
                expected=kind,
                fix=f"write {what}={max(at_least, 1)}, or another int",
            )
        )


def check_name(name: object) -> None:
    """Raises where a site's name is no name."""
    if not isinstance(name, str) or not name or "/" in name:
        raise SiteError(
            explain(
                "The first argument of `sample`, `param`, `deterministic` and `factor` is the site's name.",
                received=f"{name!r} of type {type(name).__name__}",
                expected="a string that isn't empty and has no `/`",
                fix='write kprob.sample("name", distribution)',
            )
        )


def check_distribution(name: str, distribution: Any) -> None:
    """Raises where what should be a TFP distribution isn't one."""
    one = hasattr(distribution, "log_prob") and hasattr(distribution, "batch_shape")
    if not one or isinstance(distribution, type) or isinstance(distribution.dtype, list | tuple | dict):
        raise SiteError(
            explain(
                f"Site `{name}` needs a distribution.",
                received=f"{distribution!r} of type {type(distribution).__name__}",
                expected="a distribution of TensorFlow Probability over one value, such as kprob.tfd.Normal(0.0, 1.0)",
                fix=f"pass a distribution as the second argument; a random-variable layer is called on its own, without "
                f'`sample`; a value that follows from others is kprob.deterministic("{name}", value)',
            )
        )


def check_constraint(name: str, constraint: str) -> None:
    """Raises where a parameter's constraint is unknown."""
    if constraint not in CONSTRAINTS:
        raise SiteError(
            explain(
                f"Parameter `{name}` has an unknown constraint.",
                received=repr(constraint),
                expected=f"one of {names(CONSTRAINTS)}.{did_you_mean(constraint, CONSTRAINTS)}",
                fix="pick one of these, or transform the value of an unconstrained parameter yourself",
            )
        )


def check_plate(plate: Any, open_plates: Sequence[Any]) -> None:
    """Raises where a plate can't be opened here."""
    if not isinstance(plate.name, str) or not plate.name:
        raise SiteError(
            explain(
                "The first argument of `plate` is its name.",
                received=f"{plate.name!r} of type {type(plate.name).__name__}",
                expected="a string, and then the length: nothing for the data plate",
                fix='write kprob.plate("data"), or kprob.plate("schools", 8)',
            )
        )
    if plate.is_data and open_plates:
        raise SiteError(
            explain(
                f"The data plate `{plate.name}` is opened inside {names(p.name for p in open_plates)}.",
                received=f"`{plate.name}` inside {plates_text(open_plates)}",
                expected="the data plate outermost: its axis is axis 0, the batch axis",
                fix=f'open kprob.plate("{plate.name}") first and the others inside it, or give this plate a size',
            )
        )
    if any(plate.name == other.name for other in open_plates):
        raise SiteError(
            explain(
                f"Plate `{plate.name}` is opened inside itself.",
                received=f"`{plate.name}` inside {plates_text(open_plates)}",
                expected="a plate for each axis",
                fix="leave the inner one out, or give it another name",
            )
        )
    size = plate.size
    if size is not None and (isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1):
        raise SiteError(
            explain(
                f"Plate `{plate.name}` needs a length.",
                received=repr(size),
                expected="a positive int, or nothing for the data plate",
                fix=f'write kprob.plate("{plate.name}", 8), or kprob.plate("{plate.name}") for as many as there are data',
            )
        )


def known_size(size: object) -> int | None:
    """Returns a plate's length where it is known before running, else None."""
    return int(size) if isinstance(size, int | np.integer) else None


def plates_text(plates: Iterable[Any]) -> str:
    """Formats plates for a message: `data` (100), `groups` (8)."""
    if not plates:
        return "no plate"
    return ", ".join(f"`{p.name}` ({'unknown' if known_size(p.size) is None else p.size})" for p in plates)


def shapes_fit(shape: Shape, target: Shape) -> bool:
    """Whether static shapes agree axis by axis; None agrees with anything."""
    return len(shape) == len(target) and all(
        a is None or b is None or a == b for a, b in zip(shape, target, strict=True)
    )


def broadcasts(shape: Shape, target: Shape) -> bool:
    """Whether a static shape broadcasts to a target, aligned right."""
    if len(shape) > len(target):
        return False
    tail = target[len(target) - len(shape) :]
    return all(a is None or b is None or a == b or a == 1 for a, b in zip(shape, tail, strict=True))


def check_batch_shape(name: str, distribution: Distribution, plates: Sequence[Any]) -> bool:
    """Checks a distribution's batch shape against the plates.

    Returns:
        Whether axes of length 1 must be broadcast, so that every axis is as long as its plate.

    Raises:
        SiteError: The batch shape doesn't broadcast to the plates.
    """
    batch = tuple(distribution.batch_shape)
    sizes = tuple(known_size(plate.size) for plate in plates)
    if not broadcasts(batch, sizes):
        raise SiteError(
            explain(
                f"The parameters of site `{name}` don't fit its plates: {plates_text(plates)}.",
                received=f"a distribution with batch shape {batch} and event shape {tuple(distribution.event_shape)}",
                expected=f"a batch shape that broadcasts to {sizes}, aligned right",
                fix=_plate_fix(name, batch, plates),
            )
        )
    return any(a == 1 and b != 1 for a, b in zip(batch[::-1], sizes[::-1], strict=False))


def _plate_fix(name: str, batch: Shape, plates: Sequence[Any]) -> str:
    sizes = tuple(known_size(plate.size) for plate in plates)
    if sizes and plates[0].is_data and len(batch) == len(sizes) and broadcasts(batch[1:], sizes[1:]):
        return (
            "make what has a value for each row an argument of the network: it is then looked up in the data by its "
            f"name, and split into batches with the rest; where a row has a vector of {batch[0]} numbers, say so: "
            f"kprob.tfd.Independent(distribution, 1), or the layer's `event_shape`, layers.Normal({batch[0]})"
        )
    extra = batch[len(sizes) :] if len(batch) > len(sizes) else None
    if extra is not None and not sizes:
        return (
            f'open a plate around it (with kprob.plate("data"): ...), or make the axes one value with '
            f"kprob.tfd.Independent(distribution, {len(batch)}) or `event_shape={tuple(batch)}` of the layer"
        )
    if extra is not None:
        return (
            f"axes of one value of `{name}` belong to the event: kprob.tfd.Independent(distribution, "
            f"{len(batch) - len(sizes)}) or `event_shape` of the layer; or drop an axis of length 1 with "
            "keras.ops.squeeze(x, -1)"
        )
    return "give parameters one value for each element of the plates, or one for all of them"


def check_value(site: Any, value: ArrayLike, source: str) -> Tensor:
    """Returns a value from a user or another network as a tensor of the site's type.

    Args:
        site: The site, with its distribution and plates.
        value: What came.
        source: Where it came from, for the message.

    Raises:
        SiteError: The shape isn't `plate_shape + event_shape`.
    """
    expected = tuple(known_size(p.size) for p in site.plates) + tuple(site.distribution.event_shape)
    check_unmasked(site.name, value)
    if isinstance(value, float | int | np.ndarray | np.generic):
        check_whole_numbers(site.name, np.asarray(value), site.distribution.dtype)
        check_integers(site.name, np.asarray(value), site.distribution.dtype)
    value = keras.ops.convert_to_tensor(value)
    shape = tuple(value.shape)
    if not shapes_fit(shape, expected):
        raise SiteError(
            explain(
                f"The value for site `{site.name}` from {source} has the wrong shape.",
                received=f"shape {shape}",
                expected=f"{expected}: plates {plates_text(site.plates)}, then the event shape "
                f"{tuple(site.distribution.event_shape)}",
                fix=_value_fix(site, shape, expected),
            )
        )
    return keras.ops.cast(value, site.distribution.dtype)


def check_whole_numbers(name: str, value: np.ndarray, dtype: object) -> None:
    """Raises where a site's integer type would cut the fractions of its values off."""
    if value.dtype.kind != "f" or "int" not in keras.backend.standardize_dtype(dtype):
        return
    fractions = value != np.rint(value)
    if fractions.any():
        first = tuple(int(i) for i in np.argwhere(fractions)[0])
        raise DataError(
            explain(
                f"The data for `{name}` has values outside the support of its distribution: fractions.",
                received=f"{value[first]} at index {first}, and {int(fractions.sum())} of {value.size} in all",
                expected="whole numbers",
                fix="round or threshold the data (such as pixels > 127), or choose a continuous family",
            )
        )


def check_integers(name: str, value: np.ndarray, dtype: object) -> None:
    """Raises where integers would change in the type of a site's values.

    Args:
        name: Name of the data.
        value: Data.
        dtype: The type of the site's values.
    """
    if value.dtype.kind not in "iu" or not value.size:
        return
    wanted = keras.backend.standardize_dtype(dtype)
    low, high = int(value.min()), int(value.max())
    if wanted in _EXACT_UP_TO:
        wanted = max(wanted, keras.config.floatx(), key=lambda kind: _EXACT_UP_TO.get(kind, 0))
        if max(-low, high) <= _EXACT_UP_TO[wanted]:
            return
        # An integer is compared as one: numbers of 64 bits aren't exact as floats either.
        changed = value.astype(wanted).astype("float64").astype("longdouble") != value.astype("longdouble")
    elif "int" in wanted:
        limits = np.iinfo(wanted)
        if limits.min <= low and high <= limits.max:
            return
        changed = (value < limits.min) | (value > limits.max)
    else:
        return
    if changed.any():
        raise DataError(lossy_integers(name, value, changed, wanted))


def lossy_integers(name: str, value: np.ndarray, changed: np.ndarray, dtype: str) -> str:
    """Returns the message on integers that would change in a type."""
    first = tuple(int(i) for i in np.argwhere(changed)[0])
    return explain(
        f"The data for `{name}` has integers that {dtype} can't hold.",
        received=f"{value[first]} at index {first}, and {int(changed.sum())} of {value.size} in all",
        expected=f"integers that are exact in {dtype}"
        + (f": up to {_EXACT_UP_TO[dtype]} all are" if dtype in _EXACT_UP_TO else f": up to {np.iinfo(dtype).max}"),
        fix="subtract the smallest one, rescale (such as thousands for units), or number labels from 0; where rounding "
        'does no harm, pass floats: values.astype("float64")',
    )


def check_unmasked(name: str, value: Any) -> None:
    """Raises where an array, or one in a list, has masked entries: nothing that computes with it would know of the mask."""
    each = value if isinstance(value, list | tuple) else [value]
    masked = [part for part in each if isinstance(part, np.ma.MaskedArray) and np.ma.is_masked(part)]
    if masked:
        number = sum(int(np.ma.count_masked(part)) for part in masked)
        raise DataError(
            explain(
                f"The data for `{name}` has masked entries.",
                received=f"a masked array with {number} of {sum(part.size for part in masked)} entries masked",
                expected="a value everywhere",
                fix=f"drop these rows from all data (rows = ~{name}.mask; {name}[rows]), or fill them "
                f"({name}.filled(value)); to leave rows out of the density, pass sample_weight with 0 for them",
            )
        )


def _value_fix(site: Any, shape: Shape, expected: Shape) -> str:
    if site.plates and len(shape) == len(expected) and shape[1:] == expected[1:] and not site.plates[0].is_data:
        plate = site.plates[0]
        return (
            f"give {plate.size} values; or, where plate `{plate.name}` stands for the rows of the data, leave its "
            f'length out: kprob.plate("{plate.name}")'
        )
    if len(shape) == len(expected) + 1 and shape[-1] == 1:
        return f"drop the last axis, `{site.name}[:, 0]` or `{site.name}.squeeze(-1)`, or declare `event_shape=1`"
    if len(shape) + 1 == len(expected) and expected[-1] == 1:
        return f"add an axis, `{site.name}[..., None]`, or declare `event_shape=()`"
    if len(shape) == len(expected) and expected and shape[1:] == expected[1:]:
        return "give as many rows as the other data has"
    if not site.plates:
        return (
            "reshape the value, change `event_shape`, or, where it has a value for each row, declare the site inside "
            'kprob.plate("data")'
        )
    return "reshape the value, or change the `event_shape` of the site"


def broadcast_to_plates(name: str, value: Tensor, plates: Sequence[Any]) -> Tensor:
    """Returns a tensor broadcast to the plates' shape."""
    sizes = tuple(plate.size for plate in plates)
    static = tuple(known_size(size) for size in sizes)
    if not broadcasts(tuple(value.shape), static):
        raise SiteError(
            explain(
                f"The log-weight of factor `{name}` doesn't fit its plates: {plates_text(plates)}.",
                received=f"shape {tuple(value.shape)}",
                expected=f"a shape that broadcasts to {static}",
                fix="sum it over the axes that aren't plates",
            )
        )
    return value if not sizes else keras.ops.broadcast_to(value, sizes)


def check_replayed(site: Any, other: Any) -> None:
    """Raises where a value of the inference network can't be one of the generative network's site."""
    shape, event = tuple(other.value.shape), tuple(site.distribution.event_shape)
    expected = tuple(known_size(plate.size) for plate in site.plates) + event
    if not shapes_fit(shape, expected):
        raise MismatchError(
            explain(
                f"Latent `{site.name}` has another shape in the inference network than in the generative one.",
                received=f"inference: {shape}, in {plates_text(other.plates)}, event shape "
                f"{tuple(other.distribution.event_shape)}",
                expected=f"generative: {expected}, in {plates_text(site.plates)}, event shape {event}",
                fix="declare both in the same plates and with the same `event_shape`",
            )
        )


def broadcast_static(shapes: Iterable[Shape]) -> Shape:
    """Returns the common shape of static shapes, aligned right; None where it isn't known.

    Raises:
        SiteError: They don't broadcast to a common shape.
    """
    shapes = [tuple(shape) for shape in shapes]
    rank = max((len(shape) for shape in shapes), default=0)
    common = []
    for axis in range(-rank, 0):
        sizes = {shape[axis] for shape in shapes if len(shape) >= -axis} - {1}
        known = sizes - {None}
        if len(known) > 1:
            raise SiteError(
                explain(
                    "Parameters of a random variable don't broadcast to a common shape.",
                    received=", ".join(map(str, shapes)),
                    expected="shapes that agree axis by axis, aligned right, or are 1 there",
                    fix="reshape one of them; a value per row of a vector needs x[:, None]",
                )
            )
        common.append(known.pop() if known else None if None in sizes else 1)
    return tuple(common)
