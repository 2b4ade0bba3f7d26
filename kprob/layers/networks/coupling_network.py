"""A network from one part of a vector to numbers for each element of the other part."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kprob.checks import check_count
from kprob.errors import SiteError
from kprob.options import check_units
from kprob.saving import register
from kprob.types import Shape, Tensor


@register
class CouplingNetwork(keras.layers.Layer):
    """Dense layers: `num_outputs` numbers for each of `size` numbers, made from a vector of others.

    It starts at zero whatever the input, so that a flow made of it starts at the identity. From an empty vector it makes
    numbers that are the same for all.

    Args:
        size: Numbers that outputs are made for.
        num_outputs: Outputs for each.
        hidden_units: Units of each hidden layer.
        activation: Activation of the hidden layers.
        **kwargs: Keras's `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: Vectors, shape `(..., others)`.

    Output shape:
        `(..., size, num_outputs)`.

    Example:
        ```python
        import keras
        from kprob import layers

        network = layers.CouplingNetwork(size=2, num_outputs=3)
        assert network(keras.ops.zeros((5, 4))).shape == (5, 2, 3)
        ```

    Reference:
        Dinh, Sohl-Dickstein and Bengio (2017), "Density estimation using Real NVP".
    """

    def __init__(
        self,
        size: int,
        num_outputs: int,
        hidden_units: Sequence[int] = (32, 32),
        activation: str = "elu",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        check_count("size", size, error=SiteError)
        check_count("num_outputs", num_outputs, error=SiteError)
        check_units("hidden_units", hidden_units, SiteError)
        self.size, self.num_outputs = int(size), int(num_outputs)
        self.hidden_units, self.activation = (
            tuple(int(units) for units in hidden_units),
            keras.activations.get(activation),
        )

    def build(self, input_shape: Shape) -> None:
        inputs = int(input_shape[-1])
        self.kernels, self.biases = [], []
        sizes = [inputs, *self.hidden_units] if inputs else []
        for i, (rows, columns) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
            self.kernels.append(self.add_weight((rows, columns), "glorot_uniform", name=f"kernel_{i}"))
            self.biases.append(self.add_weight((columns,), "zeros", name=f"bias_{i}"))
        if inputs:
            self.kernels.append(self.add_weight((sizes[-1], self.size * self.num_outputs), "zeros", name="kernel_last"))
        self.biases.append(self.add_weight((self.size * self.num_outputs,), "zeros", name="bias_last"))
        super().build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        hidden = inputs
        for kernel, bias in zip(self.kernels[:-1], self.biases[:-1], strict=True):
            hidden = self.activation(ops.matmul(hidden, kernel) + bias)
        if self.kernels:
            numbers = ops.matmul(hidden, self.kernels[-1]) + self.biases[-1]
        else:
            numbers = ops.broadcast_to(self.biases[-1], (*ops.shape(inputs)[:-1], self.size * self.num_outputs))
        return ops.reshape(numbers, (*ops.shape(numbers)[:-1], self.size, self.num_outputs))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.size, self.num_outputs)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "size": self.size,
            "num_outputs": self.num_outputs,
            "hidden_units": list(self.hidden_units),
            "activation": keras.activations.serialize(self.activation),
        }
