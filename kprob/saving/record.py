"""The record of a saved model: shape and fingerprint of every variable by its path, states of its random number generators.

It travels inside the weights, in each of the three formats, and does two things that Keras doesn't. It brings back the
random numbers, so that a resumed run is the run that never stopped. And after loading, each variable must have the
fingerprint that belongs to its path, so that weights can't change places unnoticed because a class has changed.
"""

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np

from kprob.errors import ArchiveError, explain, names
from kprob.saving.paths import variables_of
from kprob.saving.plain_content import parse_json

VERSION = 1
SHOWN = 4


class VariableRecord(NamedTuple):
    """Shape and fingerprint of a variable."""

    shape: tuple[int, ...]
    fingerprint: str


@dataclasses.dataclass(frozen=True)
class Record:
    """What a saved model held.

    Attributes:
        weights: Of each weight, by path.
        seeds: States of random number generators, by path.
        trained: Paths of the weights that the optimizer trains, in its order.
        optimizer: Fingerprints of the optimizer's variables, or None where there is no optimizer.
        epoch: The epoch that a fit would go on with, or None where none has ended.
    """

    weights: dict[str, VariableRecord]
    seeds: dict[str, list[int]]
    trained: tuple[str, ...]
    optimizer: tuple[str, ...] | None
    epoch: int | None

    def without(self, attributes: Collection[str]) -> "Record":
        """Returns the record without the weights below some of the model's attributes."""
        kept = {path: weight for path, weight in self.weights.items() if path.partition(".")[0] not in attributes}
        return dataclasses.replace(self, weights=kept)

    def to_array(self) -> np.ndarray:
        """Returns the record as bytes in an array, the one thing that Keras's weights files can hold."""
        content = {"version": VERSION, **dataclasses.asdict(self)}
        return np.frombuffer(json.dumps(content).encode(), dtype="uint8")

    @classmethod
    def from_array(cls, stored: np.ndarray) -> "Record":
        """Returns the record that `to_array` wrote.

        Raises:
            ArchiveError: It is none, or of a version that this kprob doesn't know.
        """
        try:
            content = parse_json(np.asarray(stored, dtype="uint8").tobytes())
            if content["version"] == VERSION:
                return cls._from_content(content)
            version = content["version"]
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise ArchiveError(explain("The record of a saved model can't be read.", received=str(error))) from error
        raise ArchiveError(
            explain(
                "The model was saved by another version of kprob.",
                received=f"a record of version {version}",
                expected=f"version {VERSION}",
                fix="load it with the kprob that saved it",
            )
        )

    @classmethod
    def _from_content(cls, content: dict[str, Any]) -> "Record":
        weights = {path: VariableRecord(tuple(entry[0]), entry[-1]) for path, entry in content["weights"].items()}
        optimizer = content["optimizer"]
        return cls(
            weights,
            content["seeds"],
            tuple(content["trained"]),
            None if optimizer is None else tuple(optimizer),
            content.get("epoch"),
        )


def make_record(model: keras.Model) -> Record:
    """Returns the record of a model as it is."""
    weights, seeds = variables_of(model)
    paths = {id(variable): path for path, variable in weights.items()}
    optimizer = _optimizer_of(model)
    return Record(
        {path: VariableRecord(tuple(variable.shape), fingerprint(variable)) for path, variable in weights.items()},
        {path: keras.ops.convert_to_numpy(variable).tolist() for path, variable in seeds.items()},
        tuple(paths[id(variable)] for variable in model.trainable_weights),
        None if optimizer is None else tuple(fingerprint(variable) for variable in optimizer.variables),
        _next_epoch(model),
    )


def _optimizer_of(model: keras.Model) -> keras.optimizers.Optimizer | None:
    # Keras makes the attribute in `compile`.
    return getattr(model, "optimizer", None)


def _next_epoch(model: keras.Model) -> int | None:
    # While a model trains, History, which Keras makes in `fit`, has the epoch that just ended.
    epochs = getattr(getattr(model, "history", None), "epoch", None)
    return epochs[-1] + 1 if epochs else None


def check_layout(model: keras.Model, record: Record) -> None:
    """Checks, before any number is loaded, that a model has the variables that were saved.

    Raises:
        ArchiveError: It has others, or others are trained.
    """
    weights, seeds = variables_of(model)
    saved: dict[str, object] = {path: weight.shape for path, weight in record.weights.items()}
    here: dict[str, object] = {path: tuple(variable.shape) for path, variable in weights.items()}
    saved |= dict.fromkeys(record.seeds, "seed")
    here |= dict.fromkeys(seeds, "seed")
    lost = {path: shape for path, shape in saved.items() if here.get(path) != shape}
    new = {path: shape for path, shape in here.items() if saved.get(path) != shape}
    if lost or new:
        raise ArchiveError(
            explain(
                f"The saved weights aren't those of this {type(model).__name__}.",
                received=f"saved: {_listed(lost)}",
                expected=f"in the model: {_listed(new)}",
                fix="load it with the class, and constructor arguments, as they were when the model was saved",
            )
        )


def restore_seeds(model: keras.Model, record: Record) -> None:
    """Puts random number generators where they were."""
    for path, variable in variables_of(model)[1].items():
        variable.assign(keras.ops.cast(keras.ops.convert_to_tensor(np.array(record.seeds[path])), variable.dtype))


def check_values(model: keras.Model, record: Record, with_optimizer: bool = True) -> None:
    """Checks, after loading, that each variable has the value that was saved under its path.

    Args:
        model: The loaded model.
        record: What was saved.
        with_optimizer: Whether the optimizer must have come back too.

    Raises:
        ArchiveError: Values are in the wrong places, or are others altogether.
    """
    weights, _ = variables_of(model)
    saved = {path: weight.fingerprint for path, weight in record.weights.items()}
    loaded = {path: fingerprint(variable) for path, variable in weights.items()}
    wrong = [path for path in saved if loaded[path] != saved[path]]
    if wrong:
        source = next((path for path, value in saved.items() if value == loaded[wrong[0]]), None)
        what = f"`{wrong[0]}` got the values saved for `{source}`" if source else f"`{wrong[0]}` got values never saved"
        raise ArchiveError(
            explain(
                f"Weights of this {type(model).__name__} came back in the wrong places.",
                received=f"{what}; in all {len(wrong)} variables: {names(wrong[:SHOWN])}",
                expected="each variable's own values",
                fix="create the attributes of the class in the order in which they were when the model was saved",
            )
        )
    optimizer = _optimizer_of(model)
    if with_optimizer and optimizer is not None and record.optimizer:
        _check_optimizer(model, optimizer, weights, record.trained, record.optimizer)


def fingerprint(variable: keras.Variable) -> str:
    """Returns a digest of a variable's type and values."""
    array = np.ascontiguousarray(keras.ops.convert_to_numpy(variable))
    if array.dtype.kind in "iu":  # the backends count in different integers
        array = array.astype("int64")
    return hashlib.sha256(array.dtype.name.encode() + b":" + array.tobytes()).hexdigest()[:32]


def _check_optimizer(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    weights: Mapping[str, keras.Variable],
    saved_paths: tuple[str, ...],
    saved_state: tuple[str, ...],
) -> None:
    # Its variables go with the trained weights by their order alone.
    paths = {id(variable): path for path, variable in weights.items()}
    trained = tuple(paths[id(variable)] for variable in model.trainable_weights)
    if trained != saved_paths:
        pairs = itertools.zip_longest(trained, saved_paths, fillvalue="none")
        where, (here, saved) = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
        raise ArchiveError(
            explain(
                f"The optimizer's state doesn't belong to the trained weights of this {type(model).__name__}.",
                received=f"saved as number {where + 1} of {len(saved_paths)}: `{saved}`",
                expected=f"in the model, of {len(trained)}: `{here}`",
                fix="create the attributes of the class in the order in which they were when the model was saved and "
                "freeze the same layers, or load with compile=False and compile anew",
            )
        )
    if tuple(fingerprint(variable) for variable in optimizer.variables) != saved_state:
        raise ArchiveError(
            explain(
                f"The optimizer's state of this {type(model).__name__} didn't come back.",
                received=f"{len(optimizer.variables)} variables of {type(optimizer).__name__} with other values",
                expected=f"the {len(saved_state)} saved variables",
                fix="load with compile=False and compile anew",
            )
        )


def _listed(shapes: Mapping[str, object]) -> str:
    shown = [f"`{path}` {shape}" for path, shape in list(shapes.items())[:SHOWN]]
    more = f" and {len(shapes) - SHOWN} more" if len(shapes) > SHOWN else ""
    return (", ".join(shown) or "none") + more
