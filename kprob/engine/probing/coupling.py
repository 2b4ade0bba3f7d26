"""Whether a network keeps to its plates, or looks from one place of a plate at another: found by changing some places.

A plate is an axis of independence. Sums over discrete latents, weights of rows and the score function's gradient count on it
that what is drawn at one place changes no density at another. So some places of the plate get other values, and the
densities at the rest must stay as they were.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from kprob.effects import Site
from kprob.numerics import to_numpy
from kprob.types import ArrayLike

TOLERANCE = 1e-4
FEW_PLACES = 8

Values = Mapping[str, np.ndarray]
Run = Callable[[Values], Mapping[str, Site]]


def looks_across(
    run: Run, plate: str, values: Values, others: Values, axes: Mapping[str, int], outside: bool = False
) -> str | None:
    """Returns the first site whose density at one place of a plate depends on values at another, or None.

    Args:
        run: From values by name to the sites of a run that has them.
        plate: Name of the plate.
        values: Values by name.
        others: Other values, of the same shapes.
        axes: The axis of the plate in those that change.
        outside: Whether sites outside the plate may not depend on the values either.
    """
    before = {name: densities(site) for name, site in run(values).items()}
    first_name = next(iter(axes))
    for places in _some_places(values[first_name].shape[axes[first_name]]):
        mixed = {name: _mixed(values[name], others[name], places, axis) for name, axis in axes.items()}
        for name, site in run({**values, **mixed}).items():
            first, second, axis = before[name], densities(site), axis_of(site, plate)
            if axis is not None:
                first, second = (np.compress(~places, each, axis) for each in (first, second))
            if (axis is not None or outside) and not close(first, second):
                return site.name
    return None


def axis_of(site: Site, plate: str) -> int | None:
    """Returns the axis of a plate in a site's value, or None where the site is outside of it."""
    return next((axis for axis, own in enumerate(site.plates) if own.name == plate), None)


def densities(site: Site) -> np.ndarray:
    """Returns a site's log-density in each place of its plates."""
    return numbers(site.log_prob_of_elements())


def close(first: np.ndarray, second: np.ndarray, tolerance: float = TOLERANCE) -> bool:
    """Whether arrays are the same but for the last digits.

    Sums in parallel come in any order, and products of matrices of other lengths differ there.
    """
    if first.shape != second.shape:
        return False
    largest = np.max(np.abs(first), initial=0.0, where=np.isfinite(first))
    return np.allclose(first, second, rtol=tolerance, atol=tolerance * largest, equal_nan=True)


def numbers(value: ArrayLike) -> np.ndarray:
    """Returns a tensor as a NumPy array of double precision."""
    return to_numpy(value).astype("float64")


def _some_places(number: int) -> Iterator[np.ndarray]:
    # Of few places any two are told apart, either way round; of many, most are.
    if number > FEW_PLACES:
        generator = np.random.default_rng(0)
        yield from (generator.random(number) < 0.5 for _ in range(2))
        return
    for digit in range(max(1, (number - 1).bit_length())):
        places = (np.arange(number) >> digit) % 2 == 1
        yield from (places, ~places)


def _mixed(value: np.ndarray, other: np.ndarray, places: np.ndarray, axis: int) -> np.ndarray:
    shape = [1] * value.ndim
    shape[axis] = -1
    return np.where(places.reshape(shape), other, value)


def plates_of(sites: Iterable[Site]) -> dict[str, list[Site]]:
    """Returns the sites by the plates that they are in; time isn't one of them, whose places follow each other."""
    found: dict[str, list[Site]] = {}
    for site in sites:
        for plate in site.plates:
            if not plate.is_time:
                found.setdefault(plate.name, []).append(site)
    return found
