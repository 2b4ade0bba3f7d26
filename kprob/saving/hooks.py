"""What Keras's hooks for saving and loading do for a model: files that a crash never costs, and what else is in its config."""

import os
from collections.abc import Callable
from typing import Any

import keras

from kprob.errors import ArchiveError, explain
from kprob.saving.archive import HDF5, save_archive, save_keras, save_weights
from kprob.saving.history import SavedHistory, read_history, write_history
from kprob.saving.loading import weights_of
from kprob.saving.own_variables import collect_records
from kprob.saving.paths import layers_of
from kprob.saving.record import check_values


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
        save_archive(filepath, lambda file: write(file, zipped=True, **kwargs))
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
) -> int | None:
    """Loads what `save_weights` or `save` wrote into a built model of the same class.

    Args:
        filepath: The file.
        model: The model.
        load: Keras's `load_weights`.
        skip_mismatch: Keras's: whether to load what fits and leave the rest, with a warning and without checks.
        **kwargs: Keras's.

    Returns:
        The epochs that the weights have seen, or None where nobody knows it.

    Raises:
        ArchiveError: The file is damaged, or holds the weights of another model.
    """
    with collect_records() as records, weights_of(filepath) as path:
        load(path, skip_mismatch=skip_mismatch, **kwargs)
    record = records.of(model)
    if record is None:
        return None
    if not skip_mismatch:
        saved = len(record.optimizer or ())
        # Keras leaves an optimizer alone, with a warning, where another kind was saved.
        same_kind = model.compiled and len(model.optimizer.variables) == saved
        check_values(model, record, with_optimizer=same_kind)
    return record.epoch


def compile_config(method: object, optimizer: object, options: dict) -> dict:
    """Returns what compiles a model again.

    Args:
        method: The objective or the sampler.
        optimizer: The optimizer.
        options: Options of `compile`.
    """
    dump = keras.saving.serialize_keras_object
    return {"objective": dump(method), "optimizer": dump(optimizer), "options": options}


def save_history(directory: str, history: keras.callbacks.History | None) -> None:
    """Writes a model's history into a folder of its assets, where it has one."""
    if history is not None and hasattr(history, "epoch"):  # which Keras makes when training begins
        write_history(directory, SavedHistory(history.epoch, history.history))


def load_history(directory: str, model: keras.Model) -> keras.callbacks.History | None:
    """Returns the history in a folder of a model's assets, or None where there is none."""
    saved = read_history(directory)
    if saved is None:
        return None
    history = keras.callbacks.History()
    history.set_model(model)
    history.epoch, history.history = saved.epoch, saved.logs
    return history


def frozen_layers(model: keras.Model) -> list[str]:
    """Returns the paths of the layers that aren't to be trained."""
    return [path for path, layer in layers_of(model).items() if not layer.trainable]


def freeze_layers(model: keras.Model, paths: list[str]) -> None:
    """Makes just these layers ones that aren't to be trained."""
    for path, layer in layers_of(model).items():
        if layer.trainable == (path in paths):
            layer.trainable = path not in paths
