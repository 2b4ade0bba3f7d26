"""What is known of a user's look-ups: where in the program each stands, and between which numbers its index lies."""

import os
from collections.abc import Iterable
from typing import NamedTuple

from kprob.backend.failures import LIBRARIES

_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_STANDARD = os.path.dirname(os.__file__)
_PACKAGES = ("site-packages", "dist-packages")


class LookUp(NamedTuple):
    """A look-up along one axis.

    Attributes:
        smallest: The smallest index.
        largest: The largest index.
        length: Length of the axis.
        line: Where in the user's program it stands.
    """

    smallest: int
    largest: int
    length: int
    line: str


def line_of_frames(frames: Iterable[tuple[str, int]]) -> str | None:
    """Returns the line that asked for an operation; None where that isn't the user's: kprob and TFP look up in range.

    Args:
        frames: File and line of each call, the innermost first.
    """
    for file, number in frames:
        if os.path.abspath(file).startswith(_OWN + os.sep):
            return None
        parts = file.split(os.sep)
        package = next((parts[parts.index(folder) + 1] for folder in _PACKAGES if folder in parts[:-1]), None)
        if package == "tensorflow_probability":
            return None
        if package in LIBRARIES or (package is None and file.startswith(_STANDARD + os.sep)):
            continue
        return f"line {number} of {parts[-1]}"
    return None
