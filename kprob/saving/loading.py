"""Loading what kprob saves: checks the file, finds classes by their names, and checks the model that Keras made."""

import contextlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import h5py
import keras
import numpy as np

from kprob.errors import ArchiveError, KprobError, add_note, explain
from kprob.saving.archive import CONFIG, GROUP, HDF5, WEIGHTS, check_weights, verify
from kprob.saving.names import find_objects
from kprob.saving.own_variables import collect_records
from kprob.saving.plain_content import parse_json
from kprob.saving.record import check_values
from kprob.saving.seal import check_seal, is_sealed


def load_model(
    path: str | os.PathLike, custom_objects: Mapping | None = None, compile: bool = True, safe_mode: bool = True
) -> keras.Model:
    """Loads a model that `model.save` wrote: ready to sample, to predict, and to go on with `fit`.

    Loading runs no code from the file. It finds subclasses of `ProbabilisticModel` and `kprob.probmodel` functions by
    their names where they have been defined or imported; other classes and functions are passed in.

    Args:
        path: A `.h5` or a `.keras` file.
        custom_objects: Classes and functions by name, as in Keras; needed for what kprob doesn't find by itself.
        compile: Whether to bring back objective and optimizer with its state, if the model had them.
        safe_mode: Whether to refuse files that hold Python code (lambdas).

    Returns:
        The model, with weights, optimizer, states of its random number generators, and `history`.

    Raises:
        ArchiveError: The file is damaged, isn't a saved model, or needs classes or functions that aren't here or that
            have changed.

    Example:
        ```python
        import kprob

        @kprob.probmodel
        def temperature():
            temp = kprob.sample("temp", kprob.tfd.Normal(15.0, 2.0))
            kprob.sample("sensor", kprob.tfd.Normal(temp, 1.0))

        model = temperature().compile(kprob.ELBO(), "adam")
        model.fit({"sensor": 18.0}, epochs=10, verbose=0)
        model.save("temperature.h5")

        again = kprob.load_model("temperature.h5")
        again.fit({"sensor": 18.0}, epochs=20, initial_epoch=10, verbose=0)
        ```
    """
    path = Path(path)
    verify(path)
    with _readable(path) as (source, config):
        wanted = config if compile else {**config, "compile_config": None}
        objects = find_objects(wanted, custom_objects, safe_mode, path.name)
        with (
            _explained(path.name, "The model in {} can't be made again."),
            keras.saving.CustomObjectScope(objects),
            collect_records() as records,
        ):
            model = keras.saving.load_model(source, custom_objects=objects, compile=compile, safe_mode=safe_mode)
    record = records.of(model)
    if record is not None:
        check_values(model, record)
    return model


@contextlib.contextmanager
def weights_of(path: str | os.PathLike) -> Iterator[str]:
    """Yields a path from which Keras's `load_weights` loads a file's weights, once the file's seal has been checked.

    Raises:
        ArchiveError: The file is damaged, or loading it fails.
    """
    path = Path(path)
    with tempfile.TemporaryDirectory() as folder:
        name = str(path)
        if path.suffix in HDF5 and path.is_file() and is_sealed(path):
            check_seal(path)
            name = os.path.join(folder, WEIGHTS)
            _link(path, name)
        if path.suffix == ".keras" and path.is_file():
            verify(path)
        with _explained(path.name, "The weights in {} can't be loaded into this model."):
            if path.suffix in HDF5 and path.is_file():
                check_weights(path)
            yield name


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[tuple[str, dict]]:
    # A path that Keras can load, and the config in it.
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            config = _parse(archive.read(CONFIG), path.name)
        yield str(path), config
        return
    with tempfile.TemporaryDirectory() as folder:
        with h5py.File(path, "r") as file:
            if file.get(GROUP, getlink=True, getclass=True) is not h5py.HardLink:
                raise ArchiveError(
                    explain(
                        f"{path.name} holds weights, and no model.",
                        received="a file written by model.save_weights",
                        expected="a file written by model.save",
                        fix="make and build the model (by fit, or evaluate), then model.load_weights(...)",
                    )
                )
            _unpack(file[GROUP], Path(folder), path.name)
        _link(path, os.path.join(folder, WEIGHTS))
        yield folder, _parse((Path(folder) / CONFIG).read_bytes(), path.name)


def _unpack(group: h5py.Group, folder: Path, file: str) -> None:
    for name in group:
        link, content = group.get(name, getlink=True), group.get(name)
        inside = name not in ("", ".", "..") and "/" not in name and os.sep not in name
        if not inside or not isinstance(link, h5py.HardLink):
            raise ArchiveError(_strange_message(file, name))
        if isinstance(content, h5py.Group):
            (folder / name).mkdir()
            _unpack(content, folder / name, file)
        elif _is_plain(content):
            (folder / name).write_bytes(content[()].tobytes())
        else:
            raise ArchiveError(_strange_message(file, name))


def _is_plain(dataset: object) -> bool:
    # Stored as it is: neither elsewhere, nor compressed to a fraction of the memory that it would take.
    return (
        isinstance(dataset, h5py.Dataset)
        and dataset.dtype == np.uint8
        and dataset.ndim == 1
        and not dataset.is_virtual
        and not dataset.external
        and (dataset.size == 0 or dataset.id.get_storage_size() == dataset.size)
    )


def _link(path: Path, name: str) -> None:
    try:
        os.symlink(path.resolve(), name)
    except OSError:  # a system or a file system without symbolic links
        shutil.copyfile(path, name)


def _parse(content: bytes, file: str) -> dict:
    try:
        return parse_json(content)
    except ValueError as error:
        raise ArchiveError(explain(f"The config in {file} is damaged.", received=str(error))) from error


def _strange_message(file: str, name: str) -> str:
    return explain(
        f"{file} isn't a file that kprob saved.",
        received=f"`{name}` in its group {GROUP!r}",
        expected="plain bytes",
        fix="don't load files from people whom you don't trust",
    )


@contextlib.contextmanager
def _explained(file: str, what: str) -> Iterator[None]:
    # Turns whatever Keras and h5py raise while they load into one kind of error.
    try:
        yield
    except FileNotFoundError:
        raise
    except KprobError as error:
        add_note(error, f"kprob: this happened while {file} was being loaded.")
        raise
    except Exception as error:
        reason = _reason(error)
        if "\n  Received: " in reason:  # one of our own, in Keras's words
            raise ArchiveError(reason) from error
        raise ArchiveError(
            explain(
                what.format(file),
                received=f"{type(error).__name__}: {reason}",
                expected="the classes and functions as they were when the model was saved",
                fix="undo the change, or save the model again",
            )
        ) from error


def _reason(error: Exception) -> str:
    # Keras tells what went wrong with the first layer in the second of three paragraphs, or at the very end.
    paragraphs = str(error).split("\n\n")
    if "could not be loaded" in paragraphs[0] and len(paragraphs) > 1:
        return paragraphs[1]
    return str(error).rpartition("Exception encountered: ")[2]
