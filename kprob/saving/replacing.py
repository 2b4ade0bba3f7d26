"""Writing a file so that a crash, a full disk or a killed process never costs the file that was there before."""

import contextlib
import glob
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

STALE_SECONDS = 3600.0


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a path to write to; when the block ends well, the file there replaces `path` in one step.

    The new file lies in a folder of its own beside the old one, so that renaming it stays within one file system. It is
    flushed to the disk before the rename, and the folder that holds the name after it: whenever the machine stops,
    either the whole old file or the whole new one is there. A symbolic link keeps pointing where it did.

    Args:
        path: The file to replace or to make.

    Yields:
        A path of the same name in a new folder, which is removed afterwards.

    Raises:
        FileNotFoundError: The folder doesn't exist.
        IsADirectoryError: `path` is a folder.
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {str(target.parent)!r} to save {target.name!r} in. Make it first.")
    if target.is_dir():
        raise IsADirectoryError(f"{str(target)!r} is a directory. Give the name of a file in it.")
    _remove_leftovers(target)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent))
    try:
        written = folder / target.name
        yield written
        _flush(written)
        os.replace(written, target)
        if os.name == "posix":  # elsewhere a folder can't be opened
            _flush(target.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_leftovers(target: Path) -> None:
    # A killed process leaves its folder behind. One that was touched within the hour may be another process's, at work.
    for leftover in target.parent.glob(f".{glob.escape(target.name)}.*.tmp"):
        with contextlib.suppress(OSError):
            newest = max(entry.stat().st_mtime for entry in (leftover, *leftover.rglob("*")))
            if time.time() - newest > STALE_SECONDS:
                shutil.rmtree(leftover, ignore_errors=True)
