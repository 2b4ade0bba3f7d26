"""Whether the parameters of a distribution are possible, looked at where they are known: before anything runs on them.

TFP takes a scale of -1 and draws from it. Here a distribution and all that it is made of (components, bijectors, kernels) are
gone through, and every parameter that is a number, or a tensor whose numbers are there, is held against what its family
says of it, or else what TFP says. What is only known when running is left to whoever runs.
"""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kprob.backend import executing_eagerly, is_tensor, tfd
from kprob.distributions import sets
from kprob.distributions.constraints import get_constraint
from kprob.distributions.families.from_class import constraint_name
from kprob.distributions.family import Family, Parameter
from kprob.distributions.names import class_name
from kprob.distributions.registry import family_of, is_a
from kprob.distributions.sets import NumberSet
from kprob.errors import SiteError, explain
from kprob.types import Distribution

_MOST_SHOWN = 8
_NUMBERS = (bool, int, float, np.ndarray, np.generic)


@dataclass(frozen=True)
class Impossible:
    """A parameter that can't be one.

    Attributes:
        owner: Class of the distribution, bijector or kernel that has it.
        name: Name of the parameter.
        received: What came.
        expected: What it may be.
        mend: How to mend it.
    """

    owner: str
    name: str
    received: str
    expected: str
    mend: str

    def error(self, site: str) -> SiteError:
        """Returns the error that says so.

        Args:
            site: Name of the random variable.
        """
        return SiteError(
            explain(
                f"Parameter `{self.name}` of site `{site}` can't be one of its {self.owner}.",
                received=self.received,
                expected=self.expected,
                fix=self.mend,
            )
        )


def check_parameters(site: str, distribution: Distribution, numbers_only: bool = False) -> None:
    """Raises where a parameter whose value is known is impossible.

    Args:
        site: Name of the random variable.
        distribution: A TFP distribution.
        numbers_only: Whether tensors are left alone.

    Raises:
        SiteError: There is such a parameter.
    """
    found = find_impossible(distribution, numbers_only)
    if found is not None:
        raise found.error(site)


def find_impossible(distribution: Distribution, numbers_only: bool = False) -> Impossible | None:
    """Returns the first parameter of a distribution, or of what is inside it, that is impossible; None where there is none.

    Args:
        distribution: A TFP distribution.
        numbers_only: Whether tensors are left alone.
    """
    tensors = not numbers_only and executing_eagerly()
    for part in _parts(distribution, set()):
        family = family_of(part) if isinstance(part, tfd.Distribution) else None
        values = {name: known(value, tensors) for name, value in part.parameters.items()}
        for name, value in values.items():
            found = None if value is None else _impossible(part, family, name, value, values)
            if found is not None:
                return found
        if tensors and family is not None and family.covariance is not None and _is_singular(part):
            return Impossible(
                class_name(part),
                family.covariance,
                "a covariance matrix that isn't positive definite",
                sets.POSITIVE_DEFINITE.expected,
                "raise `jitter` to 1e-4 or so, or give it observation noise",
            )
    return None


def known(value: Any, tensors: bool = True) -> np.ndarray | None:
    """Returns the numbers of a parameter, or None where they aren't there, or it has none.

    Args:
        value: What a distribution was made with.
        tensors: Whether to look at tensors.
    """
    if is_tensor(value):
        if not tensors:
            return None
        try:
            array = keras.ops.convert_to_numpy(value)
        except Exception:  # A value inside a graph or a transformation; each backend has its own error for it.
            return None
    elif isinstance(value, int | float | np.ndarray | np.generic | list | tuple) and not isinstance(value, bool):
        try:
            array = np.asarray(value)
        except (TypeError, ValueError):
            return None
    else:
        return None
    if array.dtype.kind in "iu":
        array = array.astype("float64")
    # 16-bit types of their own have no linear algebra.
    return None if array.dtype.kind not in "fV" else array if array.dtype.itemsize > 2 else array.astype("float32")


def _parts(value: Any, seen: set[int]) -> Iterator[Any]:
    # A distribution, bijector, kernel or linear operator, and all of them inside it.
    if isinstance(value, list | tuple | Mapping):
        for element in value.values() if isinstance(value, Mapping) else value:
            if not isinstance(element, _NUMBERS):
                yield from _parts(element, seen)
        return
    parameters = getattr(value, "parameters", None)
    if not isinstance(parameters, Mapping) or isinstance(value, type) or id(value) in seen:
        return
    if isinstance(value, tfd.Distribution) and is_a(value, tfd.Masked):
        return  # what it masks may be anything
    seen.add(id(value))
    yield value
    yield from _parts(parameters, seen)


def _impossible(
    part: Any, family: Family | None, name: str, value: np.ndarray, values: Mapping[str, np.ndarray | None]
) -> Impossible | None:
    parameter = None if family is None else family.parameters.get(name)
    cls: Any = type(part)
    allowed = _tfp_set(cls, name) if parameter is None else allowed_values(parameter)
    if allowed is not None and value.ndim >= allowed.event_ndims:
        right = allowed.holds(value)
        if not np.all(right):
            return _describe(part, name, value, right, allowed.expected, allowed.mend)
    relation = None if parameter is None else parameter.relation
    if relation is not None:
        others = {n: v for n, v in values.items() if v is not None}
        if all(need in others for need in relation.needs):
            right = relation.holds(value, others)
            if not np.all(right):
                others_text = "".join(f", {need}={_text(others[need])}" for need in relation.needs)
                return Impossible(
                    class_name(part),
                    name,
                    f"{name}={_text(value)}{others_text}",
                    relation.expected,
                    f"correct {name}, or learn it by a layer",
                )
    return None


def allowed_values(parameter: Parameter) -> NumberSet | None:
    """Returns the numbers that a parameter may be, by itself; None where it is no tensor.

    Args:
        parameter: A parameter of a family.
    """
    if parameter.allowed is not None:
        return parameter.allowed
    if not parameter.tensor:
        return None
    # The constraint of a parameter that is related to another is that of their difference.
    return sets.REAL if parameter.relate else get_constraint(parameter.constraint).allowed


def _describe(part: Any, name: str, value: np.ndarray, right: np.ndarray, expected: str, mend: str) -> Impossible:
    right = np.asarray(right)
    wrong = int((~right).sum())
    if right.ndim == 0 or value.size <= _MOST_SHOWN:
        received = f"{name}={_text(value)}"
    else:
        first = tuple(int(i) for i in np.argwhere(~right)[0])
        received = f"{_text(value[first])} at index {first} of {name}, and {wrong} of {right.size} in all"
    return Impossible(class_name(part), name, received, expected, mend)


def _text(value: np.ndarray) -> str:
    return np.array2string(value, threshold=_MOST_SHOWN, precision=6, separator=", ")


def _is_singular(distribution: Distribution) -> bool:
    # Then no value has a density.
    if distribution.parameters.get("index_points") is None:
        return False
    value = keras.ops.zeros((*distribution.batch_shape, *distribution.event_shape), dtype=distribution.dtype)
    return bool(np.isnan(keras.ops.convert_to_numpy(distribution.log_prob(value))).any())


@functools.cache
def _tfp_set(cls: Any, name: str) -> NumberSet | None:
    # What TFP says of a parameter, where it is a tensor.
    try:
        properties = cls.parameter_properties().get(name)
    except (AttributeError, NotImplementedError, TypeError):
        return None
    if properties is None or not properties.is_tensor:
        return None
    return get_constraint(constraint_name(properties)).allowed
