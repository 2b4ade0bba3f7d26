"""Programs that are compiled with XLA where XLA can, and without it where it can't."""

from collections.abc import Callable
from typing import Any

from kprob.backend.active import training


def compile_with_fallback(make: Callable[[bool], Callable], jit: bool = True) -> Callable:
    """Compiles a program with XLA, and again without where it turns out that XLA lacks one of its operations.

    A recurrent layer is such an operation, and so is a sampler by rejection. That shows at the first call.

    Args:
        make: `make(jit)` returns the program, compiled with or without XLA.
        jit: Whether to try XLA at all.
    """
    first = make(jit)
    if not jit:
        return first
    plain: list[Callable] = []

    def run(*arguments: Any) -> Any:
        if not plain:
            try:
                return first(*arguments)
            except training.COMPILER_ERRORS:
                plain.append(make(False))
        return plain[0](*arguments)

    return run
