"""Whether numbers survive the type that they are computed in: integers beyond its digits, and floats that all become alike."""

import keras
import numpy as np

from kprob.checks import lossy_integers
from kprob.errors import DataError, explain

# Rounding by more than this share of what a column covers changes what the data says.
_SHARE = 1e-3
_SMALLEST = 1.2e-38  # below it float32 is zero


def check_integer_range(name: str, array: np.ndarray) -> None:
    """Raises where integers don't fit the largest integers that the backend has."""
    if array.dtype.itemsize < 8 or array.dtype.kind not in "iu" or not array.size:
        return
    largest = keras.backend.standardize_dtype(keras.ops.convert_to_tensor(np.zeros(0, array.dtype)).dtype)
    if largest == array.dtype.name:
        return
    limits = np.iinfo(largest)
    if int(array.min()) < limits.min or int(array.max()) > limits.max:
        raise DataError(lossy_integers(name, array, (array < limits.min) | (array > limits.max), largest))


def check_whole_floats(name: str, array: np.ndarray, kept: np.ndarray) -> None:
    """Raises where counts or labels that came as floats would be rounded.

    Args:
        name: Name of the data.
        array: Data as it came.
        kept: The same in fewer digits.
    """
    changed = (kept != array) & (array == np.rint(array))
    if changed.any():
        raise DataError(lossy_integers(name, array, changed, kept.dtype.name))


def check_digits(name: str, array: np.ndarray, kept: np.ndarray) -> None:
    """Raises where rounding makes numbers alike that differ.

    Args:
        name: Name of the data.
        array: Data as it came: floats, or integers that a network makes floats of.
        kept: The same in fewer digits.
    """
    if not array.size:
        return
    # Of a matrix each column is a quantity of its own.
    own = array.reshape(len(array), -1) if array.ndim == 2 else array.reshape(-1, 1)
    low, high = own.min(0).astype("float64"), own.max(0).astype("float64")
    largest = np.maximum(np.abs(low), np.abs(high))
    covered = np.where(high > low, high - low, largest)
    suspect = np.finfo(kept.dtype).eps * largest + _SMALLEST > _SHARE * covered
    suspect &= largest > 0
    if not suspect.any():
        return
    column = own[:, suspect]
    error = np.abs(column - kept.reshape(own.shape)[:, suspect].astype("float64")).max(0).astype("float64")
    bad = error > _SHARE * covered[suspect]
    if bad.any():
        which = np.flatnonzero(suspect)[np.flatnonzero(bad)[0]]
        where = f"column {which} of `{name}`" if own.shape[1] > 1 else f"`{name}`"
        raise DataError(
            explain(
                f"The data for {where} has more digits than {kept.dtype} keeps.",
                received=f"numbers from {low[which]:.17g} to {high[which]:.17g}, which are rounded by up to "
                f"{float(error[bad][0]):.3g}",
                expected=f"numbers whose differences are still there in about {np.finfo(kept.dtype).precision} digits",
                fix=f"subtract what they have in common and rescale, such as (x - x.min()) / x.std() for {where}; a "
                'time is counted from the first one; a sampler has dtype="float64"',
            )
        )
