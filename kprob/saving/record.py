"""What a saved model held: the shape and fingerprint of every variable by its path, and the states of its generators.

It travels inside the weights, in each of the three formats, and does two things that Keras doesn't. It brings back the
random numbers, so that a resumed run is the run that never stopped. And after loading, each variable must have the
fingerprint that belongs to its path, so that weights can't change places unnoticed because a class has changed.
"""

import hashlib
import itertools
import json
from typing import Protocol, runtime_checkable

import keras
import numpy as np

from kprob.errors import ArchiveError, explain, names
from kprob.saving.paths import variables_of

VERSION = 1
OBJECTIVE = "objective_state"  # where a model keeps what belongs to its objective
SHOWN = 4


@runtime_checkable
class Recorded(Protocol):
    """A model that keeps the record of the file that it was loaded from."""

    def take_record(self) -> dict | None:
        """Returns the record, once."""


def make_record(model: keras.Model) -> np.ndarray:
    """Returns the record of a model as bytes in an array, the one thing that Keras's weights files can hold."""
    weights, seeds = variables_of(model)
    paths = {id(variable): path for path, variable in weights.items()}
    optimizer = getattr(model, "optimizer", None)
    record = {
        "version": VERSION,
        "weights": {path: [list(variable.shape), fingerprint(variable)] for path, variable in weights.items()},
        "seeds": {path: keras.ops.convert_to_numpy(variable).tolist() for path, variable in seeds.items()},
        "trained": [paths[id(variable)] for variable in model.trainable_weights],
        "optimizer": None if optimizer is None else [fingerprint(variable) for variable in optimizer.variables],
        "epoch": _epochs_done(model),
    }
    return np.frombuffer(json.dumps(record).encode(), dtype="uint8")


def _epochs_done(model: keras.Model) -> int | None:
    # The number of the next epoch, where one has ended; while it trains, History has the epoch that just ended.
    epochs = getattr(getattr(model, "history", None), "epoch", None)
    return epochs[-1] + 1 if epochs else None


def read_record(stored: np.ndarray) -> dict:
    """Returns the record that `make_record` made.

    Raises:
        ArchiveError: It is none, or of a version that this kprob doesn't know.
    """
    try:
        record = json.loads(np.asarray(stored, dtype="uint8").tobytes())
        version = record["version"]
    except (ValueError, TypeError, KeyError) as error:
        raise ArchiveError(explain("The record of a saved model can't be read.", received=str(error))) from error
    if version != VERSION:
        raise ArchiveError(
            explain(
                "The model was saved by another version of kprob.",
                received=f"a record of version {version}",
                expected=f"version {VERSION}",
                fix="load it with the kprob that saved it",
            )
        )
    return record


def check_layout(model: keras.Model, record: dict) -> None:
    """Checks, before any number is loaded, that a model has the variables that were saved.

    Raises:
        ArchiveError: It has others, or others are trained.
    """
    weights, seeds = variables_of(model)
    saved: dict[str, object] = {path: tuple(entry[0]) for path, entry in _wanted(model, record).items()}
    here: dict[str, object] = {path: tuple(variable.shape) for path, variable in weights.items()}
    saved |= dict.fromkeys(record["seeds"], "seed")
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


def restore_seeds(model: keras.Model, record: dict) -> None:
    """Puts random number generators where they were."""
    for path, variable in variables_of(model)[1].items():
        variable.assign(keras.ops.cast(keras.ops.convert_to_tensor(np.array(record["seeds"][path])), variable.dtype))


def check_values(model: keras.Model, record: dict, with_optimizer: bool = True) -> None:
    """Checks, after loading, that each variable has the value that was saved under its path.

    Args:
        model: The loaded model.
        record: What was saved.
        with_optimizer: Whether the optimizer must have come back too.

    Raises:
        ArchiveError: Values are in the wrong places, or are others altogether.
    """
    weights, _ = variables_of(model)
    saved = {path: entry[-1] for path, entry in _wanted(model, record).items()}
    found = {path: fingerprint(variable) for path, variable in weights.items()}
    wrong = [path for path in saved if found[path] != saved[path]]
    if wrong:
        owner = next((path for path, value in saved.items() if value == found[wrong[0]]), None)
        what = f"`{wrong[0]}` got the values saved for `{owner}`" if owner else f"`{wrong[0]}` got values never saved"
        raise ArchiveError(
            explain(
                f"Weights of this {type(model).__name__} came back in the wrong places.",
                received=f"{what}; in all {len(wrong)} variables: {names(wrong[:SHOWN])}",
                expected="each variable's own values",
                fix="create the attributes of the class in the order in which they were when the model was saved",
            )
        )
    optimizer = getattr(model, "optimizer", None)
    if with_optimizer and optimizer is not None and record["optimizer"]:
        _check_optimizer(model, optimizer, weights, record)


def _wanted(model: keras.Model, record: dict) -> dict:
    # A model that is loaded without its objective has no use for what belongs to that.
    has_objective = getattr(model, OBJECTIVE, None) is not None
    return {p: entry for p, entry in record["weights"].items() if has_objective or not p.startswith(f"{OBJECTIVE}.")}


def fingerprint(variable) -> str:
    """Returns a digest of a variable's type and values."""
    array = np.ascontiguousarray(keras.ops.convert_to_numpy(variable))
    if array.dtype.kind in "iu":  # the backends count in different integers
        array = array.astype("int64")
    return hashlib.sha256(array.dtype.name.encode() + b":" + array.tobytes()).hexdigest()[:32]


def _check_optimizer(model: keras.Model, optimizer, weights: dict, record: dict) -> None:
    # Its variables go with the trained weights by their order alone.
    paths = {id(variable): path for path, variable in weights.items()}
    trained = [paths[id(variable)] for variable in model.trainable_weights]
    if trained != record["trained"]:
        pairs = itertools.zip_longest(trained, record["trained"], fillvalue="none")
        where, (here, saved) = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
        raise ArchiveError(
            explain(
                f"The optimizer's state doesn't belong to the trained weights of this {type(model).__name__}.",
                received=f"saved as number {where + 1} of {len(record['trained'])}: `{saved}`",
                expected=f"in the model, of {len(trained)}: `{here}`",
                fix="create the attributes of the class in the order in which they were when the model was saved and "
                "freeze the same layers, or load with compile=False and compile anew",
            )
        )
    if [fingerprint(variable) for variable in optimizer.variables] != record["optimizer"]:
        raise ArchiveError(
            explain(
                f"The optimizer's state of this {type(model).__name__} didn't come back.",
                received=f"{len(optimizer.variables)} variables of {type(optimizer).__name__} with other values",
                expected=f"the {len(record['optimizer'])} saved variables",
                fix="load with compile=False and compile anew",
            )
        )


def _listed(shapes: dict) -> str:
    shown = [f"`{path}` {shape}" for path, shape in list(shapes.items())[:SHOWN]]
    more = f" and {len(shapes) - SHOWN} more" if len(shapes) > SHOWN else ""
    return (", ".join(shown) or "none") + more
