"""A network whose outputs for each number of a vector depend only on the numbers before it.

MADE: a dense network in which hidden units have degrees, and a connection stays only where the degree doesn't fall. Output
i sees the inputs 0, ..., i - 1, so that a Jacobian through it is triangular.
"""

import functools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kprob.checks import check_count
from kprob.errors import SiteError
from kprob.options import check_units
from kprob.saving import register
from kprob.types import Shape, Tensor


@register
class AutoregressiveNetwork(keras.layers.Layer):
    """Masked dense layers: `num_outputs` numbers for each number of a vector, made from those before it.

    It starts at zero whatever the input, so that a flow made of it starts at the identity.

    Args:
        num_outputs: Numbers for each number of the input.
        hidden_units: Units of each hidden layer.
        activation: Activation of the hidden layers.
        **kwargs: Keras's `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: Vectors, shape `(..., size)`.

    Output shape:
        `(..., size, num_outputs)`.

    Example:
        ```python
        import keras
        from kprob import layers

        network = layers.AutoregressiveNetwork(2, hidden_units=(16,))
        assert network(keras.ops.zeros((5, 3))).shape == (5, 3, 2)
        ```

    Reference:
        Germain, Gregor, Murray and Larochelle (2015), "MADE: masked autoencoder for distribution estimation".
    """

    def __init__(
        self, num_outputs: int, hidden_units: Sequence[int] = (32, 32), activation: str = "elu", **kwargs: Any
    ):
        super().__init__(**kwargs)
        check_count("num_outputs", num_outputs, error=SiteError)
        check_units("hidden_units", hidden_units, SiteError)
        self.num_outputs, self.hidden_units = int(num_outputs), tuple(int(units) for units in hidden_units)
        self.activation = keras.activations.get(activation)

    def build(self, input_shape: Shape) -> None:
        masks = autoregressive_masks(int(input_shape[-1]), self.hidden_units)
        self.kernels, self.biases = [], []
        for i, mask in enumerate(masks):
            last = i == len(masks) - 1
            outputs = mask.shape[1] * (self.num_outputs if last else 1)
            start = "zeros" if last else "glorot_uniform"
            self.kernels.append(self.add_weight((mask.shape[0], outputs), start, name=f"kernel_{i}"))
            self.biases.append(self.add_weight((outputs,), "zeros", name=f"bias_{i}"))
        super().build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        hidden, size = inputs, self.kernels[0].shape[0]
        masks = autoregressive_masks(size, self.hidden_units)
        for i, mask in enumerate(masks):
            last = i == len(masks) - 1
            mask = np.repeat(mask, self.num_outputs, axis=1) if last else mask
            kernel = ops.convert_to_tensor(self.kernels[i]) * ops.cast(mask, self.compute_dtype)
            hidden = ops.matmul(hidden, kernel) + self.biases[i]
            hidden = hidden if last else self.activation(hidden)
        return ops.reshape(hidden, (*ops.shape(hidden)[:-1], size, self.num_outputs))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape, self.num_outputs)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "num_outputs": self.num_outputs,
            "hidden_units": list(self.hidden_units),
            "activation": keras.activations.serialize(self.activation),
        }


@functools.cache
def autoregressive_masks(size: int, hidden_units: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Returns a mask of ones and zeros for each kernel, shape (inputs, outputs).

    Args:
        size: Length of the vector.
        hidden_units: Units of each hidden layer.
    """
    # Degrees of hidden units: how many numbers of the vector they may see, 1 to size - 1, in turn.
    degrees = [np.arange(1, size + 1)]
    degrees += [1 + np.arange(units) % max(1, size - 1) for units in hidden_units]
    masks = [one[:, None] <= other[None, :] for one, other in zip(degrees[:-1], degrees[1:], strict=True)]
    masks.append(degrees[-1][:, None] < degrees[0][None, :])
    return tuple(mask.astype("float32") for mask in masks)
