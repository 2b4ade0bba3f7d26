"""Writing a file so that a crash, a full disk or a killed process never costs the file that was there before."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from kprob.errors import explain
from kprob.saving.working_folder import working_folder

# What a disk says that can't take the file: it is full, a quota or a limit is reached, it is broken, or only to be read.
_REFUSALS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a path to write to; when the block ends well, the file there replaces `path` in one step.

    The new file lies in a folder of its own beside the old one, so that renaming it stays within one file system. It is
    flushed to the disk before the rename, and the folder that holds the name after it: whenever the machine stops,
    either the whole old file or the whole new one is there. A symbolic link keeps pointing where it did. Folders that
    killed processes left beside the file are removed.

    Args:
        path: The file to replace or to make.

    Yields:
        A path of the same name in a new folder, which is removed afterwards.

    Raises:
        FileNotFoundError: The folder doesn't exist.
        IsADirectoryError: `path` is a folder.
        OSError: The disk can't take the file. The old one is as it was.
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {str(target.parent)!r} to save {target.name!r} in. Make it first.")
    if target.is_dir():
        raise IsADirectoryError(f"{str(target)!r} is a directory. Give the name of a file in it.")
    with _refusals_explained(target), working_folder(target) as folder:
        written = folder / target.name
        yield written
        _flush(written)
        os.replace(written, target)
        if os.name == "posix":  # elsewhere a folder can't be opened
            _flush(target.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _refusals_explained(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        free = shutil.disk_usage(target.parent).free
        raise OSError(
            error.errno,
            explain(
                f"{target.name} couldn't be saved: {os.strerror(error.errno)}.",
                received=f"{free / 1e6:.1f} MB of free space in {str(target.parent)!r}",
                expected="room for twice the new file, beside the old one, which is as it was",
                fix="free some space (or raise the quota or limit), or save to another disk",
            ),
        ) from error
