"""From anything array-like that a user passes to NumPy arrays by name."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

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


def to_array(name: str, value: Any) -> np.ndarray:
    """Returns data as a NumPy array; floats in Keras's float type.

    Raises:
        DataError: It isn't made of numbers, is ragged, or holds a NaN or an infinity.
    """
    if hasattr(value, "detach"):  # a torch tensor
        value = value.detach().cpu()
    if hasattr(value, "to_numpy") and not isinstance(value, np.ndarray):  # pandas
        value = value.to_numpy()
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise DataError(_not_an_array(name, value)) from error
    if array.dtype == object or array.dtype.kind not in "fiub" and array.dtype.name != "bfloat16":
        raise DataError(_not_an_array(name, value))
    if array.dtype.kind == "f" or array.dtype.name == "bfloat16":
        array = array.astype(keras.config.floatx(), copy=False)
        check_finite(name, array)
    return array


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
    """Returns data by name as a plain dict, or None where it has no names."""
    if isinstance(data, Mapping):
        return {str(name): value for name, value in data.items()}
    if hasattr(data, "columns") and hasattr(data, "to_numpy"):  # a pandas data frame
        return {str(name): data[name] for name in data.columns}
    return None


def _not_an_array(name: str, value: Any) -> str:
    return explain(
        f"The data for `{name}` is no array of numbers.",
        received=f"{type(value).__name__}: {str(value)[:80]}",
        expected="a NumPy array, tensor, pandas column or list of numbers, all rows of the same shape",
        fix="encode strings and dates as numbers, and pad ragged rows",
    )
