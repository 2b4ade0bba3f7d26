"""Errors of kprob: every one says what came, what was expected and how to mend it.

Each class below is also a `ValueError`, so that code that catches Keras's errors catches these too. Messages are put
together by `explain`, so that they read alike everywhere.
"""

import difflib
import sys
import warnings
from collections.abc import Iterable

__all__ = [
    "ArchiveError",
    "CompileError",
    "DataError",
    "FitWarning",
    "KprobError",
    "MismatchError",
    "SiteError",
]


class KprobError(ValueError):
    """Base class of all errors that kprob raises about a user's program."""

    # Keras wraps errors in a list of the call's arguments, unless they say that this was done already: our messages
    # stay as they were written.
    _keras_call_info_injected = True


class SiteError(KprobError):
    """A random variable is declared or used wrongly: its name, parameters, shape or value."""


class MismatchError(KprobError):
    """The generative and the inference network don't fit together."""


class DataError(KprobError):
    """Data doesn't fit the model: an unknown name, a wrong shape, a missing or impossible value."""


class ArchiveError(KprobError, OSError):
    """A saved file is damaged, isn't one of kprob's, or needs classes that aren't there or have changed.

    Also an `OSError`: on that, Keras's `BackupAndRestore` goes back to the backup before the last.
    """


class CompileError(KprobError):
    """`compile` received something that it can't train with, or wasn't called."""


class FitWarning(UserWarning):
    """A fit ended badly: its answers may be far off. Switched off by `fit(check=False)` or by Python's warning filters."""


def explain(what: str, *, received: object = None, expected: object = None, fix: str | None = None) -> str:
    """Puts an error message together: what went wrong, what came, what was expected, how to mend it."""
    lines = [what]
    if received is not None:
        lines.append(f"  Received: {received}")
    if expected is not None:
        lines.append(f"  Expected: {expected}")
    if fix is not None:
        lines.append(f"  Fix: {fix}")
    return "\n".join(lines)


def did_you_mean(name: str, candidates: Iterable[object]) -> str:
    """Returns ' Did you mean "..."?' for the closest of `candidates`, or nothing where none is close."""
    close = difflib.get_close_matches(str(name), [str(c) for c in candidates], n=1, cutoff=0.6)
    return f" Did you mean {close[0]!r}?" if close else ""


def names(values: Iterable[object]) -> str:
    """Formats names for a message: `a`, `b`, or 'none'."""
    return ", ".join(f"`{value}`" for value in values) or "none"


def add_note(error: BaseException, note: str) -> None:
    """Adds a note to an error that isn't ours, once, so that its own message stays as it was."""
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)


def warn(message: str, category: type[Warning]) -> None:
    """Warns in one line, at the line of the user's program that called kprob."""
    frame, level = sys._getframe(), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in ("kprob", "keras"):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
