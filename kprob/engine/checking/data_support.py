"""Whether data is possible under the model: values inside the supports of their distributions.

A run on all rows would cost as much as an epoch. So the network runs on the first rows, and on the few others that say most:
those with the smallest and the largest value, one with a fraction, and, for vectors, those with the smallest and the largest
sum. A support that doesn't change from row to row is an interval, or whole numbers in one, so that these rows find whatever
is wrong; where it does change from row to row, what they miss makes the objective infinite, and the error that `fit` raises
then names the site.
"""

from collections.abc import Callable
from typing import TypeAlias

import keras
import numpy as np

from kprob import distributions
from kprob.backend import executing_eagerly
from kprob.data.batch import Data
from kprob.distributions.names import class_name
from kprob.distributions.supported_values import support_of
from kprob.distributions.wrappers import unwrapped
from kprob.effects import Site, Trace
from kprob.engine.probing.structure import SiteInfo
from kprob.errors import DataError, explain
from kprob.types import Distribution

RunOnRows: TypeAlias = Callable[[np.ndarray | None, int], Trace]

CHUNK = 1 << 16
OTHER_DRAWS = 8
EVENTS = 1000  # values of several numbers each that are checked without a run
# Numbers of which a support contains some or doesn't.
PROBES = (-1e6, -100.0, -1.0, -0.5, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1000.0, 1e6)


def check_support(trace: Trace, run: RunOnRows, data: Data, checked: int) -> None:
    """Checks that observed values are possible under their distributions (eagerly only).

    Args:
        trace: A trace of p on the first rows.
        run: `(rows, seed) -> trace` runs p on some of the rows (None for data without rows), its latents drawn anew.
        data: All data.
        checked: Number of rows that `trace` is about.

    Raises:
        DataError: A value isn't possible, whatever the latents are.
    """
    if not executing_eagerly():
        return
    _check(trace, run, None if data.num_rows is None else np.arange(checked))
    if data.num_rows is not None and data.num_rows > checked:
        rows = extreme_rows(trace, data.rows)
        if len(rows):
            _check(run(rows, 0), run, rows)


def check_fixed_support(site: SiteInfo, values: np.ndarray) -> None:
    """Checks values of a site whose support doesn't depend on its parameters, without a run.

    Args:
        site: What is known of the site.
        values: Values, with any axes before those of one value.

    Raises:
        DataError: A value isn't possible.
    """
    possible, ndims = site.possible, site.value_ndims
    if possible is None or not values.size or values.ndim < ndims:
        return
    flat = values.reshape(-1, *values.shape[values.ndim - ndims :])
    places = (
        np.array(sorted(_extreme_positions(flat, site.discrete))) if not ndims else np.arange(min(EVENTS, len(flat)))
    )
    valid = keras.ops.convert_to_numpy(possible(keras.ops.convert_to_tensor(flat[places])))
    if valid.all():
        return
    place = int(places[int(np.argmin(valid))])
    index = np.unravel_index(place, values.shape[: values.ndim - ndims])
    raise DataError(
        explain(
            f"The values for `{site.name}` are outside the support of its {site.family} distribution.",
            received=f"{flat[place]} at index {tuple(int(i) for i in index)}",
            expected=f"values that a {site.family} can have, whatever its parameters are",
            fix="correct or rescale the values (such as pixels / 255, labels from 0), or choose another family",
        )
    )


def extreme_rows(trace: Trace, rows: dict[str, np.ndarray]) -> np.ndarray:
    """Returns the rows at which observed sites have their extreme values."""
    extremes: set[int] = set()
    for site in trace.random_sites(observed=True):
        values = rows.get(site.name)
        if values is None or not site.in_data_plate or distributions.contains(site.distribution, site.value) is None:
            continue
        flat = values.reshape(len(values), -1)
        discrete = distributions.is_discrete(site.distribution)
        extremes |= {position // flat.shape[1] for position in _extreme_positions(flat.ravel(), discrete)}
        if len(unwrapped(site.distribution).event_shape):
            totals = _row_sums(flat)
            extremes |= {int(totals.argmin()), int(totals.argmax())}
    return np.array(sorted(extremes), dtype=int)


def _row_sums(flat: np.ndarray) -> np.ndarray:
    # Few columns are added up faster one by one.
    return np.asarray(sum(flat[:, i] for i in range(flat.shape[1]))) if flat.shape[1] <= 32 else flat.sum(1)


def _extreme_positions(flat: np.ndarray, discrete: bool) -> set[int]:
    # In chunks that fit the processor's cache.
    low: int | None = None
    high: int | None = None
    fraction: int | None = None
    for start in range(0, len(flat), CHUNK):
        chunk = flat[start : start + CHUNK]
        smallest, largest = start + int(chunk.argmin()), start + int(chunk.argmax())
        low = smallest if low is None or flat[smallest] < flat[low] else low
        high = largest if high is None or flat[largest] > flat[high] else high
        if discrete and fraction is None and chunk.dtype.kind == "f":
            fractions = chunk != np.rint(chunk)
            fraction = start + int(fractions.argmax()) if fractions.any() else None
    return {position for position in (low, high, fraction) if position is not None}


def _check(trace: Trace, run: RunOnRows, rows: np.ndarray | None) -> None:
    for site in trace.random_sites(observed=True):
        inner = unwrapped(site.distribution)
        valid = distributions.contains(inner, site.value)
        if valid is None or bool(keras.ops.all(valid)):
            continue
        valid = keras.ops.convert_to_numpy(valid)
        valid = np.broadcast_to(valid, tuple(site.value.shape)[: valid.ndim])
        first = tuple(int(i) for i in np.argwhere(~valid)[0])
        row = None if rows is None or not site.in_data_plate else int(rows[first[0]])
        if not _is_fixed(inner) and _depends_on_draws(site, run, row, has_rows=rows is not None):
            continue
        value = keras.ops.convert_to_numpy(site.value)[first]
        index = first if row is None else (row, *first[1:])
        family = class_name(inner)
        raise DataError(
            explain(
                f"The data for `{site.name}` has values outside the support of its {family} distribution.",
                received=f"{value} at index {index}, and {int((~valid).sum())} of the {valid.size} that were checked",
                expected=f"values that a {family} with these parameters can have",
                fix="correct or rescale the data (such as pixels / 255, labels from 0), or choose another family",
            )
        )


def _is_fixed(distribution: Distribution) -> bool:
    support = support_of(distribution)[0]
    return support is not None and support.fixed


def _depends_on_draws(site: Site, run: RunOnRows, row: int | None, has_rows: bool) -> bool:
    # Then nothing can be said of its data.
    rows = np.array([row or 0]) if has_rows else None
    answers = []
    for number in range(1, OTHER_DRAWS + 1):
        other = run(rows, number)[site.name]
        inner = unwrapped(other.distribution)
        probes = keras.ops.convert_to_tensor(PROBES, dtype=other.value.dtype)
        probes = keras.ops.reshape(probes, (-1, *[1] * len(other.value.shape)))
        probes = keras.ops.broadcast_to(probes, (len(PROBES), *other.value.shape))
        answers.append([keras.ops.convert_to_numpy(distributions.contains(inner, v)) for v in (other.value, probes)])
    first = answers[0]
    return any(np.any(a != b) for answer in answers[1:] for a, b in zip(first, answer, strict=True))
