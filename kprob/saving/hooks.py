"""What Keras's hooks for saving and loading do for a model: files that a crash never costs, a record in them, the history."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kprob.errors import ArchiveError, explain
from kprob.saving.archive import HDF5, save_archive, save_keras, save_weights, weights_of
from kprob.saving.paths import layers_of
from kprob.saving.record import check_values, make_record, read_record

HISTORY = "history.json"
RECORD = "record"
DRAWS = "draws"


@dataclass(frozen=True)
class OwnVariables:
    """What a model itself, rather than one of its layers, has in a file.

    Attributes:
        variables: Its variables, as Keras writes them.
        record: What the whole model held, or None in files of plain Keras models.
        draws: A sampler's draws, as bytes.
    """

    variables: dict[str, Any]
    record: dict | None
    draws: bytes | None


def write_own(store: Any, model: keras.Model, draws: bytes | None) -> None:
    """Writes what belongs to a model itself, beside its variables.

    Args:
        store: Keras's store.
        model: The model.
        draws: A sampler's draws, as bytes.
    """
    store[RECORD] = make_record(model)
    if draws is not None:
        store[DRAWS] = np.frombuffer(draws, "uint8")


def read_own(store: Any) -> OwnVariables:
    """Returns what `write_own` wrote, and the variables beside it."""
    contents = {name: store[name] for name in store.keys()}
    record, draws = contents.pop(RECORD, None), contents.pop(DRAWS, None)
    return OwnVariables(
        contents,
        None if record is None else read_record(np.asarray(record)),
        None if draws is None else np.asarray(draws).tobytes(),
    )


def save_model(
    filepath: str, write: Callable[..., None], overwrite: bool = True, zipped: bool | None = None, **kwargs: Any
) -> None:
    """Saves the model in one file, in place of the one that was there, which a crash never costs.

    `.h5` is kprob's archive, under a checksum to the last bit; `.keras` is Keras's own format. Both hold config,
    weights, optimizer, states of random number generators and `history`. `kprob.load_model` reads them.

    Args:
        filepath: The file; its ending says the format.
        write: Keras's `save`.
        overwrite: Whether a file that is there may be replaced.
        zipped: Keras's: False for a folder instead of a `.keras` file.
        **kwargs: Keras's.

    Raises:
        FileExistsError: The file is there, and `overwrite` is False.
        ArchiveError: A constructor's argument can't be written down, or the model has some weights but not all.
    """
    if filepath.endswith(HDF5):
        save_archive(filepath, lambda folder: write(folder, zipped=False, **kwargs))
    elif filepath.endswith(".keras") and zipped is not False and "://" not in filepath:
        save_keras(filepath, lambda written: write(written, **kwargs))
    else:
        write(filepath, overwrite=overwrite, zipped=zipped, **kwargs)


def save_model_weights(
    filepath: str, write: Callable[..., None], overwrite: bool, max_shard_size: float | None
) -> None:
    """Saves weights, optimizer and states of random number generators in a `.weights.h5` file, as safely as `save`.

    Args:
        filepath: The file.
        write: Keras's `save_weights`.
        overwrite: Whether a file that is there may be replaced.
        max_shard_size: Keras's: gigabytes of one file, where several are to be written.
    """
    if filepath.endswith(".weights.h5") and max_shard_size is None:
        save_weights(filepath, write)
    else:
        write(filepath, overwrite=overwrite, max_shard_size=max_shard_size)


def check_target(path: str, overwrite: bool) -> None:
    """Raises where a model can't be saved to a path.

    Raises:
        FileExistsError: The file is there and mustn't be replaced.
        ArchiveError: It is an archive on another machine.
    """
    if not overwrite and os.path.exists(path):
        raise FileExistsError(f"{path} is there already. Pass overwrite=True, or save under another name.")
    if path.endswith(HDF5) and "://" in path:
        raise ArchiveError(
            explain(
                "kprob writes its files to folders of this machine.",
                received=path,
                expected="a path",
                fix="save to a path and copy the file, or save a `.keras` file, which Keras writes there itself",
            )
        )


def load_model_weights(
    filepath: str | os.PathLike, model: keras.Model, load: Callable[..., None], skip_mismatch: bool, **kwargs: Any
) -> None:
    """Loads what `save_weights` or `save` wrote into a built model of the same class.

    Args:
        filepath: The file.
        model: The model, which keeps the record of the file.
        load: Keras's `load_weights`.
        skip_mismatch: Keras's: whether to load what fits and leave the rest, with a warning and without checks.
        **kwargs: Keras's.

    Raises:
        ArchiveError: The file is damaged, or holds the weights of another model.
    """
    model.take_record()
    with weights_of(filepath) as path:
        load(path, skip_mismatch=skip_mismatch, **kwargs)
    record = model.take_record()
    if record is not None and not skip_mismatch:
        saved = len(record["optimizer"] or ())
        # Keras leaves an optimizer alone, with a warning, where another kind was saved.
        same_kind = model.compiled and len(model.optimizer.variables) == saved
        check_values(model, record, with_optimizer=same_kind)


def compile_config(method: object, optimizer: object, options: dict) -> dict:
    """Returns what compiles a model again.

    Args:
        method: The objective or the sampler.
        optimizer: The optimizer.
        options: Options of `compile`.
    """
    dump = keras.saving.serialize_keras_object
    return {"objective": dump(method), "optimizer": dump(optimizer), "options": options}


def write_history(history: object, directory: str) -> None:
    """Writes a model's history beside its config, if it has one."""
    if isinstance(history, keras.callbacks.History) and hasattr(history, "epoch"):  # set when training begins
        logs = {name: [_plain(value) for value in values] for name, values in history.history.items()}
        content = {"epoch": [int(epoch) for epoch in history.epoch], "history": logs}
        Path(directory, HISTORY).write_text(json.dumps(content), encoding="utf-8")


def read_history(model: keras.Model, directory: str) -> keras.callbacks.History | None:
    """Returns the history that was saved, or None where none was.

    Raises:
        ArchiveError: It can't be read.
    """
    path = Path(directory, HISTORY)
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        epoch, logs = list(content["epoch"]), dict(content["history"])
    except (ValueError, TypeError, KeyError) as error:
        raise ArchiveError(explain("The saved history can't be read.", received=str(error))) from error
    history = keras.callbacks.History()
    history.set_model(model)
    history.epoch, history.history = epoch, logs
    return history


def frozen_layers(model: keras.Model) -> list[str]:
    """Returns the paths of the layers that aren't to be trained."""
    return [path for path, layer in layers_of(model).items() if not layer.trainable]


def freeze_layers(model: keras.Model, paths: list[str]) -> None:
    """Makes just these layers ones that aren't to be trained."""
    for path, layer in layers_of(model).items():
        if layer.trainable == (path in paths):
            layer.trainable = path not in paths


def _plain(value: Any) -> Any:
    array = np.asarray(value)
    return array.astype("float64").tolist() if array.dtype.kind in "biuf" else str(value)
