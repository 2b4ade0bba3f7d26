"""The archive `.h5`, one file that brings a model back in any process; and the other formats, written as safely.

An archive is a sealed HDF5 file (see `seal.py`). Its weights lie where Keras puts them, so that it is a `.weights.h5`
too; what else Keras writes for a model (its config, its assets) lies beside them in one group, as bytes.
"""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from kprob.errors import ArchiveError, explain
from kprob.saving.replacing import replacing
from kprob.saving.seal import check_seal, seal

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
