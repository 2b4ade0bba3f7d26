"""From anything array-like that a user passes to NumPy arrays by name."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from kprob.checks import check_unmasked
from kprob.data.exactness import check_digits, check_integer_range, check_whole_floats
from kprob.errors import DataError, explain


class Whole:
    """Marks data that doesn't belong to rows: it goes whole into every batch.

    A covariate is per row unless it is wrapped; an observed site outside the data plate takes its data whole anyway.

    Args:
        value: Anything array-like.

    Example:
        ```python
        import kprob

        data = {"uranium": kprob.Whole([0.1, 0.5, -0.3])}
        ```
    """

    def __init__(self, value: Any):
        self.value = value

    def __repr__(self) -> str:
        return f"Whole({self.value!r})"


def to_array(name: str, value: Any, exact: bool = False, distinct: bool = False) -> np.ndarray:
    """Returns data as a NumPy array; floats in Keras's float type.

    Args:
        name: Name of the data.
        value: Anything array-like.
        exact: Whether floats are counts or labels, of which none may be rounded.
        distinct: Whether numbers that differ must still differ when they are rounded.

    Raises:
        DataError: It isn't made of numbers, is ragged, has masked entries, holds a NaN or an infinity, or has more digits
            than the type that it is computed in.
    """
    if hasattr(value, "detach"):  # a torch tensor
        value = value.detach().cpu()
    if hasattr(value, "to_numpy") and not isinstance(value, np.ndarray):  # pandas
        value = value.to_numpy()
    check_unmasked(name, value)
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise DataError(_not_an_array(name, value)) from error
    if array.dtype == object or array.dtype.kind not in "fiub" and array.dtype.name != "bfloat16":
        raise DataError(_not_an_array(name, value))
    if array.dtype.kind == "f" or array.dtype.name == "bfloat16":
        return _floats(name, array, exact, distinct)
    check_integer_range(name, array)
    if distinct and array.dtype.kind in "iu" and array.dtype.itemsize >= 4:
        check_digits(name, array, array.astype(keras.config.floatx()))  # what a network makes of it
    return array


def _floats(name: str, array: np.ndarray, exact: bool, distinct: bool) -> np.ndarray:
    wanted = keras.config.floatx()
    if array.dtype.itemsize <= np.dtype(wanted).itemsize:
        kept = array.astype(wanted, copy=False)
        check_finite(name, kept)
        return kept
    check_finite(name, array)
    with np.errstate(over="ignore", under="ignore"):
        kept = array.astype(wanted)
    if not np.isfinite(kept.sum(dtype="float64")) and not np.isfinite(kept).all():
        raise DataError(_too_large(name, array, wanted))
    if exact:
        check_whole_floats(name, array, kept)
    if distinct:
        check_digits(name, array, kept)
    return kept


def check_finite(name: str, array: np.ndarray) -> None:
    """Raises where data holds a NaN or an infinity."""
    if array.size and not np.isfinite(array.sum(dtype="float64")):
        bad = ~np.isfinite(array)
        if bad.any():
            first = tuple(int(i) for i in np.argwhere(bad)[0])
            raise DataError(
                explain(
                    f"The data for `{name}` holds numbers that aren't finite.",
                    received=f"{int(bad.sum())} NaN or infinite of {array.size}, the first at index {first}",
                    expected="finite numbers",
                    fix="drop or fill these rows; a site whose values aren't known is latent: leave it out of the data",
                )
            )


def to_dict(data: Any) -> dict[str, object] | None:
    """Returns data by name as a plain dict, or None where it has no names.

    Raises:
        DataError: Two names are the same as text.
    """
    if isinstance(data, Mapping):
        keys, values = list(data), list(data.values())
    elif hasattr(data, "columns") and hasattr(data, "to_numpy"):  # a pandas data frame
        keys = list(data.columns)
        values = [data.iloc[:, i] for i in range(len(keys))] if hasattr(data, "iloc") else [data[key] for key in keys]
    else:
        return None
    named: dict[str, object] = dict(zip(map(str, keys), values, strict=True))
    if len(named) < len(keys):
        text = next(str(key) for key in keys if sum(str(other) == str(key) for other in keys) > 1)
        raise DataError(
            explain(
                f"Two parts of the data have the name `{text}`.",
                received=", ".join(repr(key) for key in keys if str(key) == text),
                expected="names that differ as text",
                fix="rename one of them, or take it out",
            )
        )
    return named


def _not_an_array(name: str, value: Any) -> str:
    return explain(
        f"The data for `{name}` is no array of numbers.",
        received=f"{type(value).__name__}: {str(value)[:80]}",
        expected="a NumPy array, tensor, pandas column or list of numbers, all rows of the same shape",
        fix="encode strings and dates as numbers, pad ragged rows, make objects numbers by .astype(float) and sparse "
        "matrices dense by .toarray()",
    )


def _too_large(name: str, array: np.ndarray, dtype: str) -> str:
    largest = float(np.abs(array).max())
    return explain(
        f"The data for `{name}` is too large for {dtype}.",
        received=f"numbers of up to {largest:.3g} in size",
        expected=f"numbers below {float(np.finfo(dtype).max):.3g}",
        fix="rescale it to about unit variance",
    )
