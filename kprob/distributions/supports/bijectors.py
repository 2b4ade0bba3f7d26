"""Bijectors that TFP lacks: an interval whose bounds may be infinite, and the sphere."""

from typing import Any

import numpy as np
from keras import ops

from kprob.backend import tfb, tfp
from kprob.types import ArrayLike, Shape, Tensor


class Interval(tfb.Bijector):
    """From any number into an interval, either of whose bounds may be infinite.

    Between two finite bounds it is a logistic function, above a lower bound `low + exp(x)`, below an upper bound
    `high - exp(-x)`, and the identity where there is no bound. All four increase.

    Args:
        low: Lower bound or -inf.
        high: Upper bound or inf.
        name: Name of the bijector.
    """

    def __init__(self, low: ArrayLike, high: ArrayLike, name: str = "interval"):
        parameters = {"low": low, "high": high, "name": name}
        self._low, self._high = ops.convert_to_tensor(low), ops.convert_to_tensor(high)
        super().__init__(
            forward_min_event_ndims=0,
            dtype=self._low.dtype,
            parameters=parameters,
            name=name,
            is_constant_jacobian=False,
        )

    @classmethod
    def _is_increasing(cls) -> bool:
        return True

    @classmethod
    def _parameter_properties(cls, dtype: Any) -> dict[str, Any]:
        return {"low": tfp.util.ParameterProperties(), "high": tfp.util.ParameterProperties()}

    @property
    def low(self) -> Tensor:
        """Lower bound."""
        return self._low

    @property
    def high(self) -> Tensor:
        """Upper bound."""
        return self._high

    def _bounds(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        # Whether each bound is there, and finite stand-ins, so that no branch gives a NaN gradient.
        has_low, has_high = ops.isfinite(self._low), ops.isfinite(self._high)
        low = ops.where(has_low, self._low, ops.zeros_like(self._low))
        high = ops.where(has_high, self._high, ops.ones_like(self._high) + low)
        return has_low, has_high, low, high

    def _select(self, both: Tensor, lower: Tensor, upper: Tensor, neither: Tensor) -> Tensor:
        has_low, has_high, _, _ = self._bounds()
        return ops.where(has_low, ops.where(has_high, both, lower), ops.where(has_high, upper, neither))

    def _forward(self, x: Tensor) -> Tensor:
        _, _, low, high = self._bounds()
        return self._select(low + (high - low) * ops.sigmoid(x), low + ops.exp(x), high - ops.exp(-x), x)

    def _inverse(self, y: Tensor) -> Tensor:
        has_low, has_high, low, high = self._bounds()
        tiny = 1e-37
        above, below = ops.maximum(y - low, tiny), ops.maximum(high - y, tiny)
        return self._select(ops.log(above) - ops.log(below), ops.log(above), -ops.log(below), y)

    def _forward_log_det_jacobian(self, x: Tensor) -> Tensor:
        _, _, low, high = self._bounds()
        both = ops.log(high - low) - ops.softplus(-x) - ops.softplus(x)
        return self._select(both, x, -x, ops.zeros_like(x))


class Stereographic(tfb.Bijector):
    """From vectors of n - 1 numbers onto unit vectors of n, by stereographic projection.

    Every unit vector but the north pole has a preimage. Volumes on the sphere are those of its surface, with respect
    to which TFP's densities of unit vectors are written:

    x = (2 y, |y|² - 1) / (|y|² + 1),   log |dx/dy| = (n - 1) log(2 / (1 + |y|²)).
    """

    def __init__(self, name: str = "stereographic"):
        super().__init__(forward_min_event_ndims=1, parameters={"name": name}, name=name)

    def _forward_event_shape(self, input_shape: Shape) -> Shape:
        return _longer(input_shape, 1)

    def _forward_event_shape_tensor(self, input_shape: Tensor) -> Tensor:
        return input_shape + np.eye(1, input_shape.shape[0], input_shape.shape[0] - 1, dtype="int32")[0]

    def _inverse_event_shape(self, output_shape: Shape) -> Shape:
        return _longer(output_shape, -1)

    def _inverse_event_shape_tensor(self, output_shape: Tensor) -> Tensor:
        return output_shape - np.eye(1, output_shape.shape[0], output_shape.shape[0] - 1, dtype="int32")[0]

    def _forward(self, y: Tensor) -> Tensor:
        square = ops.sum(y * y, axis=-1, keepdims=True)
        return ops.concatenate([2.0 * y, square - 1.0], axis=-1) / (square + 1.0)

    def _inverse(self, x: Tensor) -> Tensor:
        return x[..., :-1] / (1.0 - x[..., -1:])

    def _forward_log_det_jacobian(self, y: Tensor) -> Tensor:
        square = ops.sum(y * y, axis=-1)
        return y.shape[-1] * (0.6931472 - ops.log1p(square))


def _longer(shape: Any, number: int) -> Any:
    *lead, last = shape
    return type(shape)([*lead, None if last is None else last + number])
