"""Errors that come out of the user's networks: each says in which network, after which site and on which data it happened.

An error of the backend about shapes, types or an index gets kprob's form; any other keeps its class and its words. Both have
the note, whether the network runs at once or is being compiled.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import keras

from kprob.backend import failures
from kprob.effects import Trace, handlers
from kprob.engine.checking.impossible_parameters import no_cholesky
from kprob.errors import KprobError, SiteError, add_note, explain

NOTE = "kprob: this happened in"

_WHAT = {
    "shapes": "shapes don't fit each other",
    "types": "types of numbers don't fit each other",
    "index": "an index is out of range",
}
_EXPECTED = {
    "shapes": "shapes that fit: the rows of the data are axis 0, and a network is written for one draw",
    "types": "numbers of one type; whole numbers of the data stay whole, since they may be indices",
    "index": "indices from 0 up to the length of the axis that is looked up, without it",
}
_FIX = {
    "shapes": "print the shapes inside the network; transpose or reshape what came the other way round: 20 rows of 3 features "
    "have the shape (20, 3)",
    "types": 'convert one of them, keras.ops.cast(values, "float32"), or look up with keras.ops.take(values, index, axis=0), '
    "whose index is an integer",
    "index": "number what is looked up from 0 on, or make the axis longer",
}


@contextlib.contextmanager
def explained(network: str, model_name: str, trace: handlers.trace, data: Mapping[str, Any]) -> Iterator[None]:
    """Explains an error that comes up in a network.

    Args:
        network: "generative" or "inference".
        model_name: Name of the model.
        trace: The handler that records the run.
        data: Data of the run, by name.

    Raises:
        SiteError: Shapes, types or an index were wrong.
    """
    try:
        yield
    except Exception as error:
        kind = None if isinstance(error, KprobError) else failures.kind_of(error)
        place = _place(trace.result)
        note = f"{NOTE} `{network}` of {model_name}, {place}; data: {_shapes(data)}."
        if not isinstance(error, KprobError) and "Cholesky" in str(error):
            own = no_cholesky(network, model_name, place)
        elif kind is not None:
            own = SiteError(_message(error, kind, network, model_name, trace.result, data))
        else:
            annotate(error, note)
            raise
        annotate(own, note)
        raise own from error


def annotate(error: BaseException, note: str) -> None:
    """Adds a note of where an error happened, unless one says so already."""
    if any(known.startswith(NOTE) for known in getattr(error, "__notes__", ())):
        return
    add_note(error, note)
    with contextlib.suppress(AttributeError):
        # Keras would put another error in its place, without the note, on the way out of the layer that computes the loss.
        error._keras_call_info_injected = True  # type: ignore[attr-defined]


def _message(
    error: BaseException, kind: str, network: str, model_name: str, trace: Trace, data: Mapping[str, Any]
) -> str:
    line = failures.line_of(error)
    sites = ", ".join(f"{site.name} {_form(site.value)}" for site in trace.sites.values() if site.value is not None)
    return explain(
        f"In `{network}` of {model_name} {_WHAT[kind]}, {_place(trace)}" + (f": {line}." if line else "."),
        received=f"{failures.text_of(error)}; data: {_shapes(data)}" + (f"; sites: {sites}" if sites else ""),
        expected=_EXPECTED[kind],
        fix=_FIX[kind],
    )


def _place(trace: Trace) -> str:
    reached = list(trace)
    return f"after site `{reached[-1]}`" if reached else "before its first site"


def _shapes(data: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_form(value)}" for name, value in data.items()) or "none"


def _form(value: Any) -> str:
    if not hasattr(value, "shape"):
        return type(value).__name__
    return f"{tuple(value.shape)} {keras.backend.standardize_dtype(value.dtype)}"
