"""Where results find the functions that draw them: `kprob.plots`, further up, enters its own here."""

from collections.abc import Callable

from kprob.errors import KprobError, explain

_DRAWN_BY: dict[str, Callable] = {}


def draws(kind: str) -> Callable[[Callable], Callable]:
    """Marks a function as the one that draws results of a kind."""

    def enter(function: Callable) -> Callable:
        _DRAWN_BY[kind] = function
        return function

    return enter


def draw(kind: str, result, *args, **kwargs):
    """Draws a result."""
    if kind not in _DRAWN_BY:
        raise KprobError(
            explain(
                f"Nothing draws a {kind}.",
                received="kprob.diagnostics without kprob.plots",
                expected="kprob.plots",
                fix="import kprob",
            )
        )
    return _DRAWN_BY[kind](result, *args, **kwargs)
