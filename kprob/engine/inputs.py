"""From what `fit`, `evaluate`, `predict` and queries receive to data by name, split into rows and the rest."""

from typing import Any

import numpy as np

from kprob.backend import float_type
from kprob.checks import check_integers, check_whole_numbers
from kprob.data import Data, Whole, to_array, to_dict
from kprob.data.row_labels import check_labels
from kprob.engine.probing.structure import Structure
from kprob.errors import DataError, did_you_mean, explain, names


class Inputs:
    """What a model takes, by name.

    Args:
        arguments: Arguments of the generative network: whether each is required.
        inference_arguments: Those of the inference network.
        structure: Sites of the generative network.
        model_name: Name of the model, for messages.
    """

    def __init__(
        self, arguments: dict[str, bool], inference_arguments: dict[str, bool], structure: Structure, model_name: str
    ):
        self.arguments = arguments
        self.inference_arguments = inference_arguments
        self.structure = structure
        self.model_name = model_name

    @property
    def known(self) -> list[str]:
        """All names that data may have."""
        return list(dict.fromkeys([*self.arguments, *self.inference_arguments, *self.structure.random_sites()]))

    def data(self, named: dict, sample_weight: Any = None, distinct: bool = False) -> Data:
        """Sorts data by name into rows and the rest.

        Args:
            named: Data by name.
            sample_weight: A weight for each row.
            distinct: Whether numbers that differ must still differ when they are rounded: in data that a model is made
                for. Later data may be a few rows close together.

        Raises:
            DataError: A name is unknown, lengths differ, or there are no rows.
        """
        check_labels(named if sample_weight is None else {**named, "sample_weight": sample_weight})
        rows: dict[str, np.ndarray] = {}
        whole: dict[str, np.ndarray] = {}
        for name, value in named.items():
            self._check_name(name)
            site = self.structure.sites.get(name)
            exact = site is not None and site.discrete
            array = to_array(name, value.value if isinstance(value, Whole) else value, exact, distinct)
            if site is not None:
                check_whole_numbers(name, array, site.dtype)
                check_integers(name, array, site.dtype)
            (rows if self.is_per_row(name, value, array) else whole)[name] = array
        number = self._num_rows(rows)
        weights = None
        if sample_weight is not None:
            weights = self._weights(sample_weight, number)
        return Data(rows, whole, number, weights)

    def is_per_row(self, name: str, value: Any, array: np.ndarray) -> bool:
        """Whether data is split into batches."""
        if isinstance(value, Whole) or not self.structure.has_data_plate:
            return False
        if name in self.structure.sites:
            return self.structure.sites[name].in_data_plate
        return array.ndim > 0

    def _check_name(self, name: str) -> None:
        site = self.structure.sites.get(name)
        if site is not None and site.fixed and name not in self.known:
            raise DataError(
                explain(
                    f"The data gives `{name}` a value, and the generative network of {self.model_name} gives it another one.",
                    received=f"data for `{name}`, which the network fixes by kprob.handlers.do",
                    expected="one value",
                    fix=f"take `{name}` out of the data, or remove the handler from the network",
                )
            )
        if name not in self.known:
            raise DataError(
                explain(
                    f"The data has a name that {self.model_name} doesn't know: `{name}`.{did_you_mean(name, self.known)}",
                    received=repr(name),
                    expected=f"covariates {names([*dict.fromkeys([*self.arguments, *self.inference_arguments])])}, "
                    f"sites {names(self.structure.random_sites())}",
                    fix="rename it, or take it out of the data",
                )
            )

    def _num_rows(self, rows: dict) -> int | None:
        if not rows:
            return None
        scalars = [name for name, value in rows.items() if value.ndim == 0]
        if scalars:
            raise DataError(
                explain(
                    f"The data for `{scalars[0]}` is one number, and the site is inside the data plate.",
                    received=f"{rows[scalars[0]]}",
                    expected="an array with one value per row",
                    fix=f'wrap it in a list, "{scalars[0]}": [value], or declare the site outside the data plate',
                )
            )
        lengths = {name: len(value) for name, value in rows.items()}
        if len(set(lengths.values())) > 1:
            raise DataError(
                explain(
                    "The data has different numbers of rows.",
                    received=", ".join(f"`{name}`: {length}" for name, length in lengths.items()),
                    expected="as many rows everywhere",
                    fix="cut to the same rows; what belongs to no row is wrapped: kprob.Whole(value)",
                )
            )
        number = next(iter(lengths.values()))
        if number == 0:
            raise DataError(
                explain(
                    "The data has no rows.",
                    received=", ".join(f"`{name}`: shape {value.shape}" for name, value in rows.items()),
                    expected="at least one row",
                    fix="check how the data was loaded or filtered",
                )
            )
        return number

    def _weights(self, sample_weight: Any, number: int | None) -> np.ndarray:
        weights = to_array("sample_weight", sample_weight).astype(float_type())
        if number is None or weights.shape != (number,):
            raise DataError(
                explain(
                    "`sample_weight` doesn't fit the data.",
                    received=f"shape {weights.shape}",
                    expected="one weight per row: "
                    + (f"shape ({number},)" if number else "this model has no data plate"),
                    fix="pass a vector as long as the data",
                )
            )
        if (weights < 0).any():
            raise DataError(
                explain(
                    "`sample_weight` has negative weights.",
                    received=f"a minimum of {weights.min()}",
                    expected="weights of zero or more",
                    fix="drop rows by a weight of 0",
                )
            )
        return weights


def name_data(x: Any, y: Any, arguments: dict, inference_arguments: dict, structure: Any, model_name: str) -> dict:
    """Gives data without names the only names that they can have.

    Args:
        x: What came first: a dict, a data frame, or an array.
        y: What came second, or None.
        arguments: Arguments of the generative network.
        inference_arguments: Those of the inference network.
        structure: Returns the sites, given covariates; called only where names are missing.
        model_name: Name of the model, for messages.

    Raises:
        DataError: More than one reading is possible.
    """
    if isinstance(x, list | tuple) and len(x) == 1 and y is None and to_dict(x[0]) is not None:
        x = x[0]
    named = {} if x is None else to_dict(x)
    if named is not None and y is None:
        return named
    if named is not None:
        targets = _targets(structure(named), [*arguments, *inference_arguments, *named])
        if len(targets) == 1:
            return {**named, targets[0]: y}
        raise DataError(_ambiguous(model_name, [*arguments, *inference_arguments], targets))
    inputs = [n for n, required in {**arguments, **inference_arguments}.items() if required]
    if y is None:
        if len(inputs) == 1:
            return {inputs[0]: x}
        targets = [] if inputs else _targets(structure({}), ())
        if len(targets) == 1:
            return {targets[0]: x}
        raise DataError(_ambiguous(model_name, inputs, targets))
    if len(inputs) == 1:
        targets = _targets(structure({inputs[0]: x}), inputs)
        if len(targets) == 1:
            return {inputs[0]: x, targets[0]: y}
        raise DataError(_ambiguous(model_name, inputs, targets))
    raise DataError(_ambiguous(model_name, inputs, []))


def _targets(structure: Structure, taken: Any) -> list[str]:
    return [n for n in structure.random_sites() if structure.sites[n].in_data_plate and n not in taken]


def _ambiguous(model_name: str, inputs: Any, targets: Any) -> str:
    return explain(
        f"{model_name} can't tell which names the data has.",
        received="data without names",
        expected=f"a dict by name; covariates {names(inputs)}, sites {names(targets)}",
        fix='write fit({"name": values, ...})',
    )
