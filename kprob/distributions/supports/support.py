"""What a support is: which values are possible under a distribution, and a bijector from unconstrained numbers onto them."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
from keras import ops

from kprob.backend import tfb
from kprob.types import ArrayLike, Distribution, Tensor


@dataclass(frozen=True)
class Support:
    """The values that are possible under a distribution.

    Attributes:
        name: What they are, for messages and to compare two supports.
        contains: `(distribution, value) -> bool` for each element of the batch.
        bijector: `distribution -> bijector` from unconstrained numbers; None where there is none.
        values: `distribution -> all values along axis 0`, for finite supports; it returns None where there are too
            many or they differ within the batch.
        fixed: Whether it is the same for all parameters.
    """

    name: str
    contains: Callable[[Distribution, ArrayLike], Tensor]
    bijector: Callable[[Distribution], tfb.Bijector] | None = None
    values: Callable[[Distribution], Tensor | None] | None = None
    fixed: bool = True


def numbers(distribution: Distribution, value: ArrayLike) -> Tensor:
    """Returns values as floats of the distribution's precision, so that they can be compared with its parameters."""
    dtype = keras.backend.standardize_dtype(distribution.dtype)
    return ops.cast(ops.convert_to_tensor(value), dtype if keras.backend.is_float_dtype(dtype) else "float32")
