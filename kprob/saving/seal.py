"""Sealed files: HDF5 files that carry the SHA-256 of every byte they hold.

HDF5 has no checksum of its own: flipped bits in it load as wrong numbers, without a word. Its format leaves room for
anything in front (the "user block"): kprob writes there, in 512 bytes of plain text, the length and the digest of all that
follows, config, attributes, weights and free space alike. Any HDF5 program still reads the file.
"""

import hashlib
import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from kprob.errors import ArchiveError, explain

MAGIC = b"kprob archive 1\n"
HEADER_BYTES = 512
CHUNK_BYTES = 1 << 20


def seal(content: BytesIO, sealed: str | os.PathLike) -> None:
    """Writes an HDF5 file that lies in memory behind a header with its length and digest."""
    view = content.getbuffer()
    with open(sealed, "xb") as target:
        target.write(_header(hashlib.sha256(view).hexdigest(), len(view)))
        target.write(view)


def is_sealed(path: str | os.PathLike) -> bool:
    """Whether a file begins as sealed files do."""
    with open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def check_seal(path: str | os.PathLike) -> None:
    """Checks that a sealed file is, to the last bit, what was written.

    Raises:
        ArchiveError: It isn't, or isn't a sealed file.
    """
    name = Path(path).name
    if not is_sealed(path):
        raise ArchiveError(
            explain(
                f"{name} isn't a file that kprob saved.",
                received=f"{os.path.getsize(path)} bytes without kprob's header",
                expected="a file written by model.save or model.save_weights",
                fix="load a file of Keras's own with keras.saving.load_model; if this one was kprob's, it is damaged: "
                "go back to a copy",
            )
        )
    digest, length = hashlib.sha256(), 0
    with open(path, "rb") as file:
        header = file.read(HEADER_BYTES)
        for chunk in _chunks(file):
            digest.update(chunk)
            length += len(chunk)
    if header != _header(digest.hexdigest(), length):
        raise ArchiveError(
            explain(
                f"{name} is damaged: it isn't what was saved any more.",
                received=f"{length} bytes with SHA-256 {digest.hexdigest()[:16]}...",
                expected=_described(header),
                fix="go back to a copy of the file, or save the model again",
            )
        )


def _header(digest: str, length: int) -> bytes:
    return (MAGIC + f"sha256 {digest}\nbytes {length}\n".encode()).ljust(HEADER_BYTES)


def _described(header: bytes) -> str:
    lines = header.decode("ascii", "replace").split("\n")
    if len(lines) < 3:
        return "the length and digest that its header lost"
    return f"{lines[2].removeprefix('bytes ')} bytes with SHA-256 {lines[1].removeprefix('sha256 ')[:16]}..."


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk
