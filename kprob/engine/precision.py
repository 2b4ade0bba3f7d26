"""A model in double precision for a while: new tensors, and what its layers compute in. Its variables stay as they are."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from kprob.backend import float_type, precision
from kprob.engine.host import Host


class _PolicyInFloat64(keras.DTypePolicy):
    # Computes in float64 where that is Keras's float type, else as the policy that it stands for.
    def __init__(self, policy: keras.DTypePolicy):
        super().__init__(policy.name)
        self.policy = policy

    @property
    def compute_dtype(self) -> str:
        return "float64" if float_type() == "float64" else self.policy.compute_dtype


@contextlib.contextmanager
def in_precision(host: Host, dtype: str) -> Iterator[None]:
    """Runs a model in a type.

    Args:
        host: The model.
        dtype: "float64"; in any other the model stays as it is.
    """
    if dtype != "float64":
        yield
        return
    layers = [layer for layer in host._flatten_layers() if _is_plain(layer.dtype_policy)]
    before = [layer.dtype_policy for layer in layers]
    for layer in layers:
        layer.dtype_policy = _PolicyInFloat64(layer.dtype_policy)
    try:
        with precision("float64"):
            yield
    finally:
        for layer, policy in zip(layers, before, strict=True):
            layer.dtype_policy = policy


def _is_plain(policy: Any) -> bool:
    # Not quantized, not one that is at work already in an outer context, not one for integers.
    return type(policy) is keras.DTypePolicy and keras.backend.is_float_dtype(policy.compute_dtype)
