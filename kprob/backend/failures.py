"""What an error of the backend is about, by its words: every version has others, and none has a class for each kind."""

import contextlib
import linecache
import re
from types import TracebackType

LIBRARIES = (
    "keras",
    "tensorflow",
    "tensorflow_probability",
    "jax",
    "jaxlib",
    "numpy",
    "ml_dtypes",
    "opt_einsum",
    "optree",
)
_JAX_NOTE = "For simplicity, JAX has removed its internal frames"

_INDEX = r"is not in \[\d+, \d+\)|slice index -?\d+ of dimension|index -?\d+ is out of bounds|out of range"
_TYPES = (
    r"expected to be an? \w+ tensor but is an? \w+ tensor|does not match type|to EagerTensor of dtype|but got .* of type"
    r"|list of allowed values|integer type|[Oo]nly integers, slices|indices must be integers|not a valid JAX type|dtype"
)
_SHAPES = (
    r"[Ii]ncompatible (shapes|dimensions)|size-incompatible|incompatible with|broadcast|dot_general|[Dd]imensions? .*must be"
    r"|core dimension|reshape|[Ss]hapes? must|must have the same (shape|rank|number of dim)|same rank|at least \d+ dim"
    r"|[Ee]insum|ndim|[Ii]nvalid reduction dim|out of bounds for array of dimension|must be rank|is rank|rank \d"
)


def kind_of(error: BaseException) -> str | None:
    """Returns what an error of Keras, the backend or NumPy is about: "index", "types" or "shapes"; None for any other error.

    Args:
        error: The error, as it was caught.
    """
    if not isinstance(error, ArithmeticError | IndexError | TypeError | ValueError) and not _is_of_tensorflow(error):
        return None
    if not _is_of_library(error):
        return None
    text = str(error)
    for kind, words in (("index", _INDEX), ("types", _TYPES), ("shapes", _SHAPES)):
        if re.search(words, text):
            return kind
    return None


def text_of(error: BaseException) -> str:
    """Returns the one line of an error's message that says what happened."""
    text = re.sub(r"\x1b\[\d*m|\{\{.*?\}\} ?|\[Op:\w+\]|name: ?$", "", str(error)).strip()
    if text.startswith("Exception encountered when calling"):  # Keras adds the layer's name and its arguments
        first, _, rest = text.partition("\n")
        layer = first.removeprefix("Exception encountered when calling ").rstrip(".")
        return f"{rest.strip().partition(chr(10))[0].strip()} (in {layer})"
    return text.partition("\n")[0].strip()


def line_of(error: BaseException, own: tuple[str, ...] = ("kprob",)) -> str | None:
    """Returns the line of the user's program at which an error came up, as text; None where there is none.

    Args:
        error: The error.
        own: Packages that aren't the user's, beside the libraries.
    """
    found = None
    for step in _steps(error.__traceback__):
        if _root(step) not in (*LIBRARIES, *own):
            found = step
    if found is None:
        return None
    name = found.tb_frame.f_code.co_filename
    source = linecache.getline(name, found.tb_lineno).strip()
    place = f"line {found.tb_lineno} of {name.rsplit('/', 1)[-1]}"
    return f"{place}, `{source}`" if source else place


def _is_of_library(error: BaseException) -> bool:
    # By where it was raised; errors of C code come up at the user's line, which then doesn't raise them itself.
    if _is_of_tensorflow(error) or any(_JAX_NOTE in note for note in getattr(error, "__notes__", ())):
        return True
    steps = list(_steps(error.__traceback__))
    if not steps:
        return False
    if _root(steps[-1]) in LIBRARIES:
        return True
    source = linecache.getline(steps[-1].tb_frame.f_code.co_filename, steps[-1].tb_lineno).strip()
    return bool(source) and not source.startswith(("raise", "assert"))


def _is_of_tensorflow(error: BaseException) -> bool:
    return any(cls.__module__.startswith("tensorflow.") for cls in type(error).__mro__)


def _steps(traceback: TracebackType | None) -> list[TracebackType]:
    steps = []
    while traceback is not None:
        steps.append(traceback)
        traceback = traceback.tb_next
    return steps


def _root(step: TracebackType) -> str:
    root = ""
    with contextlib.suppress(AttributeError):
        root = str(step.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
    return root
