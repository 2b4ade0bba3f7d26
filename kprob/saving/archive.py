"""The archive `.h5`, one file that brings a model back in any process, and the reading of all that kprob saves.

An archive is a sealed HDF5 file (see `seal.py`). Its weights lie where Keras puts them, so that it is a `.weights.h5`
too; what else Keras writes for a model (its config, its assets) lies beside them in one group, as bytes.
"""

import contextlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import h5py
import keras
import numpy as np

from kprob.errors import ArchiveError, KprobError, add_note, explain
from kprob.saving.names import find_objects
from kprob.saving.record import Recorded, check_values
from kprob.saving.replacing import replacing
from kprob.saving.seal import check_seal, is_sealed, seal

GROUP = "kprob.archive"  # no attribute of a model can have this name
CONFIG, WEIGHTS = "config.json", "model.weights.h5"
HDF5 = (".h5", ".hdf5")
MAX_EXPANSION = 100  # Keras stores members as they are


def save_archive(path: str | os.PathLike, write: Callable[[str], None]) -> None:
    """Writes an archive in place of what was at `path`.

    Args:
        path: The file.
        write: Writes the model to a folder, Keras's way.
    """
    with replacing(path) as written:
        folder = written.parent / "parts"
        write(str(folder))
        weights = folder / WEIGHTS
        with h5py.File(weights, "r+") as file:
            group = file.create_group(GROUP)
            for part in sorted(folder.rglob("*")):
                if part.is_file() and part != weights:
                    content = np.frombuffer(part.read_bytes() or b"\0", dtype="uint8")[: part.stat().st_size]
                    group.create_dataset(part.relative_to(folder).as_posix(), data=content)
        seal(weights, written)


def save_weights(path: str | os.PathLike, write: Callable[[str], None]) -> None:
    """Writes a sealed `.weights.h5` in place of what was at `path`; `write` writes it Keras's way."""
    with replacing(path) as written:
        plain = written.parent / f"plain.{WEIGHTS}"
        write(str(plain))
        seal(plain, written)


def save_keras(path: str | os.PathLike, write: Callable[[str], None]) -> None:
    """Writes a `.keras` file in place of what was at `path`; `write` writes it Keras's way."""
    with replacing(path) as written:
        write(str(written))


def verify(path: str | os.PathLike) -> None:
    """Checks that a saved file is undamaged, without making the model.

    Args:
        path: A file that `model.save` or `model.save_weights` wrote.

    Raises:
        ArchiveError: It is damaged, or isn't such a file.

    Example:
        ```python
        import keras
        import kprob

        @kprob.probmodel
        def coin():
            kprob.sample("heads", kprob.tfd.Bernoulli(probs=0.5))

        model = coin().compile(kprob.ELBO(), "sgd")
        model.fit({"heads": 1}, verbose=0)
        model.save("coin.h5")
        kprob.saving.verify("coin.h5")
        ```
    """
    path = Path(path)
    if path.suffix in HDF5:
        check_seal(path)
    elif path.suffix == ".keras":
        _check_zip(path)
    else:
        raise ArchiveError(
            explain(
                f"{path.name} has no ending that says what it is.",
                received=repr(path.suffix),
                expected="`.h5`, `.keras` or `.weights.h5`",
                fix="rename it to what it was saved as",
            )
        )


def load_model(
    path: str | os.PathLike, custom_objects: Mapping | None = None, compile: bool = True, safe_mode: bool = True
) -> keras.Model:
    """Loads a model that `model.save` wrote: ready to sample, to predict, and to go on with `fit`.

    Loading runs no code from the file. Subclasses of `ProbabilisticModel` and `kprob.probmodel` functions are found by
    their names where they have been defined or imported; other classes and functions are passed in.

    Args:
        path: A `.h5` or a `.keras` file.
        custom_objects: Classes and functions by name, as in Keras; needed for what isn't found by itself.
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
        with _explained(path.name, "The model in {} can't be made again."), keras.saving.CustomObjectScope(objects):
            model = keras.saving.load_model(source, custom_objects=objects, compile=compile, safe_mode=safe_mode)
    record = model.take_record() if isinstance(model, Recorded) else None
    if record is not None:
        check_values(model, record)
    return model


@contextlib.contextmanager
def weights_of(path: str | os.PathLike) -> Iterator[str]:
    """Gives a file's weights by a name that Keras's `load_weights` takes, once the file's seal has been checked.

    Raises:
        ArchiveError: The file is damaged, or what is done with it fails.
    """
    path = Path(path)
    with tempfile.TemporaryDirectory() as folder:
        name = str(path)
        if path.suffix in HDF5 and path.is_file() and is_sealed(path):
            check_seal(path)
            name = os.path.join(folder, WEIGHTS)
            _link(path, name)
        with _explained(path.name, "The weights in {} can't be loaded into this model."):
            yield name


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[tuple[str, dict]]:
    # What Keras can load, and the config in it.
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


def _is_plain(dataset) -> bool:
    # Stored as it is: neither elsewhere, nor compressed to a fraction of the memory that it would take.
    return (
        isinstance(dataset, h5py.Dataset)
        and dataset.dtype == np.uint8
        and dataset.ndim == 1
        and not dataset.is_virtual
        and not dataset.external
        and (dataset.size == 0 or dataset.id.get_storage_size() == dataset.size)
    )


def _check_zip(path: Path) -> None:
    # Every byte of a member is under the CRC of its entry.
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
            unpacked = sum(member.file_size for member in archive.infolist())
            bomb = unpacked > MAX_EXPANSION * path.stat().st_size
            damaged = "a file that unpacks to a hundred times its size" if bomb else archive.testzip()
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged entry fails in a dozen ways
        raise ArchiveError(_damaged_zip(path, str(error) or type(error).__name__)) from error
    lacking = [name for name in (CONFIG, WEIGHTS) if name not in members]
    if damaged or lacking:
        raise ArchiveError(_damaged_zip(path, damaged or f"a file without {lacking[0]}"))


def _link(path: Path, name: str) -> None:
    try:
        os.symlink(path.resolve(), name)
    except OSError:  # a system or a file system without symbolic links
        shutil.copyfile(path, name)


def _parse(content: bytes, file: str) -> dict:
    try:
        return json.loads(content)
    except ValueError as error:
        raise ArchiveError(explain(f"The config in {file} is damaged.", received=str(error))) from error


def _damaged_zip(path: Path, what: str) -> str:
    return explain(
        f"{path.name} is damaged: it isn't what was saved any more.",
        received=what,
        expected="a .keras file whose members have their checksums",
        fix="go back to a copy of the file, or save the model again",
    )


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
