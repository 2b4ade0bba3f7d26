"""What a saved file may hold: text that isn't nested without end, and numbers that take no more memory than bytes in the file.

A small file can claim to hold terabytes: by compression, by parts that share their bytes, by numbers that were never written.
Everything here looks at sizes and shapes alone, before any number is read. kprob and Keras write numbers as they are.
"""

import io
import json
import math
import re
import struct
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO

import h5py
import numpy as np

from kprob.errors import ArchiveError, explain

MAX_DEPTH = 200
# Strings, closed or not, and brackets.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
_NPY_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def parse_json(content: bytes | str) -> Any:
    """Returns what JSON says.

    Raises:
        ValueError: It is no JSON, or is nested so deeply that Python couldn't follow.
    """
    text = content if isinstance(content, str) else content.decode("utf-8")
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise ValueError(f"lists and dicts inside each other, more than {MAX_DEPTH} deep")
    return json.loads(text)


def _depth(text: str) -> int:
    depth = deepest = 0
    for found in _STRING_OR_BRACKET.finditer(text):
        if found[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif found[0] in "]}":
            depth -= 1
    return deepest


def check_plain(file: h5py.File, name: str, size: int) -> None:
    """Checks that an HDF5 file holds plain arrays, which together are no larger than the file.

    Args:
        file: The file.
        name: Its name, for messages.
        size: Its bytes.

    Raises:
        ArchiveError: It holds something else.
    """
    total, groups, seen = 0, [file["/"]], set()
    while groups:
        group = groups.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in seen:
            raise ArchiveError(_not_plain_message(name, group.name, "a group that is in several places"))
        seen.add(address)
        _check_attributes(group, name)
        for key in group:
            if group.get(key, getclass=True, getlink=True) is not h5py.HardLink:
                raise ArchiveError(
                    _not_plain_message(name, f"{group.name.rstrip('/')}/{key}", "a link to another place")
                )
            part = group[key]
            if isinstance(part, h5py.Group):
                groups.append(part)
            elif isinstance(part, h5py.Dataset):
                _check_attributes(part, name)
                total += _bytes_of(part, name)
    if total > size:
        raise ArchiveError(_not_plain_message(name, "/", f"arrays of {total} bytes in a file of {size} bytes"))


def check_plain_member(path: str, member: str, name: str) -> None:
    """Checks, as `check_plain` does, an HDF5 file that lies in a zip file.

    Args:
        path: The zip file.
        member: Name of the HDF5 file in it.
        name: Name of the zip file, for messages.

    Raises:
        ArchiveError: It holds something else than plain arrays.
    """
    with zipfile.ZipFile(path) as archive, open(path, "rb") as raw:
        found = archive.getinfo(member)
        stored = found.compress_type == zipfile.ZIP_STORED
        content = _Window(raw, found) if stored else io.BytesIO(archive.read(found))
        with h5py.File(content, "r") as file:
            check_plain(file, name, found.file_size)


def read_arrays(content: bytes) -> dict[str, np.ndarray]:
    """Returns the arrays that `np.savez` wrote, by name.

    Raises:
        ValueError: Something is no plain array, or would take more memory than it takes bytes.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        if any(m.compress_type != zipfile.ZIP_STORED for m in members) or _unpacked(members) > len(content):
            raise ValueError(f"{len(content)} bytes that unpack to {_unpacked(members)}")
        return {m.filename.removesuffix(".npy"): _array_of(m.filename, archive.read(m)) for m in members}


def _unpacked(members: list[zipfile.ZipInfo]) -> int:
    return sum(member.file_size for member in members)


def _array_of(name: str, content: bytes) -> np.ndarray:
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    if version not in _NPY_HEADERS:
        raise ValueError(f"`{name}` is an array of version {version}")
    shape, _, dtype = _NPY_HEADERS[version](stream)
    claimed, there = math.prod(shape) * dtype.itemsize, len(content) - stream.tell()
    if dtype.hasobject or claimed != there:
        raise ValueError(f"`{name}` claims {claimed} bytes of {dtype}, and has {there}")
    return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)


def _bytes_of(dataset: h5py.Dataset, name: str) -> int:
    if dataset.shape is None:
        return 0
    claimed = math.prod(dataset.shape) * dataset.dtype.itemsize
    problem = next(_problems(dataset, claimed), None)
    if problem is not None:
        raise ArchiveError(_not_plain_message(name, dataset.name, problem))
    return claimed


def _problems(dataset: h5py.Dataset, claimed: int) -> Iterator[str]:
    if dataset.is_virtual or dataset.external:
        yield "numbers that are in another file"
    if dataset.id.get_create_plist().get_nfilters():
        yield "compressed numbers"
    if dataset.dtype.hasobject:
        yield "texts or lists of any length"
    if dataset.id.get_storage_size() < claimed:
        yield f"{claimed} bytes of which {dataset.id.get_storage_size()} were written"


def _check_attributes(part: h5py.Group | h5py.Dataset, name: str) -> None:
    for key in part.attrs:
        attribute = part.attrs.get_id(key)
        if attribute.dtype.hasobject and attribute.shape != ():
            raise ArchiveError(_not_plain_message(name, part.name, f"the attribute `{key}` with many texts"))


def _not_plain_message(file: str, where: str, what: str) -> str:
    return explain(
        f"{file} isn't loaded: it could fill the memory.",
        received=f"`{where}` in it: {what}",
        expected="plain numbers, as model.save and model.save_weights write them",
        fix="don't load files from people whom you don't trust; if somebody compressed a file of yours, undo that, "
        "with: h5repack -f NONE -l CONTI",
    )


class _Window(io.RawIOBase):
    # A member of a zip file that is stored as it is, without reading through the bytes before what is asked for.
    def __init__(self, raw: BinaryIO, member: zipfile.ZipInfo):
        super().__init__()
        raw.seek(member.header_offset + 26)
        self._raw, self._size, self._at = raw, member.file_size, 0
        self._start = member.header_offset + 30 + sum(struct.unpack("<HH", raw.read(4)))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        self._raw.seek(self._start + self._at)
        found = self._raw.read(min(len(buffer), max(self._size - self._at, 0)))
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)
