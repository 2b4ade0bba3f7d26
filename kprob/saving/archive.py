"""The archive `.h5`, one file that brings a model back in any process; and the other formats, written as safely.

An archive is a sealed HDF5 file (see `seal.py`). Its weights lie where Keras puts them, so that it is a `.weights.h5`
too; what else Keras writes for a model (its config, its assets) lies beside them in one group, as bytes.
"""

import contextlib
import io
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from kprob.errors import ArchiveError, explain
from kprob.saving.plain_content import check_plain, check_plain_member, parse_json
from kprob.saving.replacing import replacing
from kprob.saving.seal import check_seal, seal

GROUP = "kprob.archive"  # no attribute of a model can have this name
CONFIG, WEIGHTS = "config.json", "model.weights.h5"
HDF5 = (".h5", ".hdf5")
MAX_EXPANSION = 100  # Keras stores members as they are


class _KerasFile(io.BufferedRandom):
    # Keras takes an open file where it takes a path, if it reads like one. Of a file with a name it would let HDF5 write
    # large weights to another file beside it, and HDF5 crashes the process where a disk is full.
    def __init__(self, path: Path):
        super().__init__(io.FileIO(path, "w+b"))

    @property
    def name(self) -> str:
        raise AttributeError("name")

    def __str__(self) -> str:
        return "model.keras"


class _WeightsInMemory(io.BytesIO):
    # For the same reason.
    def __str__(self) -> str:
        return WEIGHTS.replace("model.", "in_memory.")


def save_archive(path: str | os.PathLike, write: Callable[[Any], None]) -> None:
    """Writes an archive in place of what was at `path`.

    Args:
        path: The file.
        write: Writes the model to an open file, Keras's way.
    """
    with replacing(path) as written:
        packed = written.parent / "packed.keras"
        _write_keras(packed, write)
        with zipfile.ZipFile(packed) as parts:
            weights = io.BytesIO(parts.read(WEIGHTS))
            with h5py.File(weights, "r+") as file:
                group = file.create_group(GROUP)
                for part in sorted(parts.infolist(), key=lambda part: part.filename):
                    if part.filename != WEIGHTS and not part.is_dir():
                        content = np.frombuffer(parts.read(part) or b"\0", dtype="uint8")[: part.file_size]
                        group.create_dataset(part.filename, data=content)
        packed.unlink()
        seal(weights, written)


def save_weights(path: str | os.PathLike, write: Callable[[Any], None]) -> None:
    """Writes a sealed `.weights.h5` in place of what was at `path`; `write` writes it Keras's way, to an open file."""
    with replacing(path) as written:
        weights = _WeightsInMemory()
        write(weights)
        seal(weights, written)


def save_keras(path: str | os.PathLike, write: Callable[[Any], None]) -> None:
    """Writes a `.keras` file in place of what was at `path`; `write` writes it Keras's way, to an open file."""
    with replacing(path) as written:
        _write_keras(written, write)


def _write_keras(path: Path, write: Callable[[Any], None]) -> None:
    with _KerasFile(path) as file:
        write(file)
    with zipfile.ZipFile(path) as written:
        config = written.read(CONFIG)
    try:
        parse_json(config)
    except ValueError as error:  # it could never be loaded
        raise ArchiveError(
            explain(
                "The model can't be saved: its config couldn't be read again.",
                received=str(error),
                expected="constructor arguments that are plainer",
                fix="flatten them",
            )
        ) from error


def verify(path: str | os.PathLike) -> None:
    """Checks that a saved file is undamaged, without making the model.

    Args:
        path: A file that `model.save` or `model.save_weights` wrote.

    Raises:
        ArchiveError: It is damaged, or isn't such a file, or would fill the memory.

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
    with _unreadable_explained(path):
        check_weights(path)


def check_weights(path: Path) -> None:
    """Checks that loading the numbers in a file takes no more memory than the file's size.

    Raises:
        ArchiveError: It would.
        Exception: The file can't be read; HDF5 says so in many ways.
    """
    if path.suffix == ".keras":
        check_plain_member(str(path), WEIGHTS, path.name)
    else:
        with h5py.File(path, "r") as file:
            check_plain(file, path.name, path.stat().st_size)


@contextlib.contextmanager
def _unreadable_explained(path: Path) -> Iterator[None]:
    try:
        yield
    except ArchiveError:
        raise
    except Exception as error:
        raise ArchiveError(
            explain(
                f"The weights in {path.name} can't be read.",
                received=f"{type(error).__name__}: {error}",
                expected="a file that model.save or model.save_weights wrote",
                fix="go back to a copy of the file, or save the model again",
            )
        ) from error


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


def _damaged_zip(path: Path, what: str) -> str:
    return explain(
        f"{path.name} is damaged: it isn't what was saved any more.",
        received=what,
        expected="a .keras file whose members have their checksums",
        fix="go back to a copy of the file, or save the model again",
    )
