"""The folder in which a file is written before it takes its place, and the folders of this kind that killed processes left.

A folder is locked as long as its process lives: the system itself takes the lock away when a process ends, however it ends.
Whoever gets the lock of a folder that isn't its own may therefore remove that folder. Where a file system doesn't lock
folders, only the age of one tells.
"""

import contextlib
import glob
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".kprob-tmp"
STALE_SECONDS = 3600.0


@contextlib.contextmanager
def working_folder(target: Path) -> Iterator[Path]:
    """Makes a folder beside a file, and removes it afterwards; first those that processes now dead made beside it.

    Args:
        target: The file.

    Yields:
        The folder, which is empty.
    """
    _sweep(target)
    folder, lock = _make(target)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _make(target: Path) -> tuple[Path, int | None]:
    # Another process may sweep the new folder before it is locked: then another one is made.
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=SUFFIX, dir=target.parent))
        if fcntl is None:  # pragma: no cover - Windows
            return folder, None
        try:
            lock = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            continue
        if not _locks(lock, wait=True):
            os.close(lock)
            return folder, None
        if _is_there(lock, folder):
            return folder, lock
        os.close(lock)


def _sweep(target: Path) -> None:
    names: list[str] = []
    with contextlib.suppress(OSError):  # a folder that may be written to and not read
        names = os.listdir(target.parent)
    for name in (name for name in names if name.startswith(".") and name.endswith(SUFFIX)):
        with contextlib.suppress(OSError):  # another user's, or gone meanwhile
            _remove_if_dead(target.parent / name)
    # What kprob made before it locked its folders.
    for leftover in target.parent.glob(f".{glob.escape(target.name)}.*.tmp"):
        with contextlib.suppress(OSError):
            _remove_if_old(leftover)


def _remove_if_dead(folder: Path) -> None:
    if fcntl is None:  # pragma: no cover - Windows
        _remove_if_old(folder)
        return
    lock = os.open(folder, os.O_RDONLY)
    try:
        if not _locks(lock, wait=False):
            _remove_if_old(folder)
        elif _is_there(lock, folder):
            shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:  # its process is at work
        pass
    finally:
        os.close(lock)


def _remove_if_old(folder: Path) -> None:
    newest = max(entry.stat().st_mtime for entry in (folder, *folder.rglob("*")))
    if time.time() - newest > STALE_SECONDS:
        shutil.rmtree(folder, ignore_errors=True)


def _locks(folder: int, wait: bool) -> bool:
    # Locks an open folder, and returns whether that can be done here at all.
    try:
        fcntl.flock(folder, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True


def _is_there(folder: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(folder), os.stat(path))
    except FileNotFoundError:
        return False
