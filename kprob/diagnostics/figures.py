"""The registry of functions that draw results as figures: `kprob.plots`, further up, enters its own."""

from collections.abc import Callable
from typing import Any, TypeVar

from kprob.errors import KprobError, explain

Plot = TypeVar("Plot", bound=Callable)

_PLOTS: dict[str, Callable] = {}


def plots(kind: str) -> Callable[[Plot], Plot]:
    """Registers a function as the one that draws results of a kind as a figure."""

    def enter(function: Plot) -> Plot:
        _PLOTS[kind] = function
        return function

    return enter


def plot(kind: str, result: object, *args: Any, **kwargs: Any) -> Any:
    """Returns the figure of a result."""
    if kind not in _PLOTS:
        raise KprobError(
            explain(
                f"Nothing draws a {kind}.",
                received="kprob.diagnostics without kprob.plots",
                expected="kprob.plots",
                fix="import kprob",
            )
        )
    return _PLOTS[kind](result, *args, **kwargs)
