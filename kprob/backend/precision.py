"""How many digits floating-point numbers have: Keras's float type, and permission to use 64 bits on JAX."""

import contextlib
from collections.abc import Iterator

import keras

from kprob.backend.active import wide_numbers


def float_type() -> str:
    """Returns the type that densities are computed in: float64 where that is Keras's float type, else float32."""
    return "float64" if keras.config.floatx() == "float64" else "float32"


@contextlib.contextmanager
def precision(dtype: str) -> Iterator[None]:
    """Makes a type the one that new tensors have.

    On JAX that includes permission to use 64 bits, which belongs to a thread: a thread opens the context once more. Keras's
    float type belongs to the process, and only changes where it differs.

    Args:
        dtype: "float32" or "float64".
    """
    before = keras.config.floatx()
    with wide_numbers() if dtype == "float64" else contextlib.nullcontext():
        if before == dtype:
            yield
            return
        keras.config.set_floatx(dtype)
        try:
            yield
        finally:
            keras.config.set_floatx(before)
