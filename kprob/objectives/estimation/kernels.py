"""Kernels on points: how alike two of them are."""

import math

import keras

from kprob.errors import CompileError, explain
from kprob.options import check_number
from kprob.saving import register
from kprob.types import Tensor

stop = keras.ops.stop_gradient
MEDIAN_POINTS = 64


class Kernel:
    """Base class of kernels.

    To subclass, override `scale`, `matrix` and `drift`.
    """

    def scale(self, points: Tensor) -> Tensor:
        """Returns what the kernel takes from the points themselves, shape (); no gradient flows through it.

        Args:
            points: Shape (n, D).
        """
        return keras.ops.ones(())

    def matrix(self, first: Tensor, second: Tensor, scale: Tensor) -> Tensor:
        """Returns k(x, y) of all pairs: shape (n, m) of points of shape (n, D) and (m, D)."""
        raise NotImplementedError(f"{type(self).__name__} must override `matrix`.")

    def drift(self, points: Tensor, scale: Tensor) -> Tensor:
        """Returns the mean over j of ∂k(x_j, x_i)/∂x_j for each point i: shape (n, D)."""
        raise NotImplementedError(f"{type(self).__name__} must override `drift`.")

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict) -> "Kernel":
        """Makes the kernel from `get_config`'s result."""
        return cls(**config)


@register
class RBF(Kernel):
    """The Gaussian kernel exp(−‖x − y‖² / h).

    Args:
        bandwidth: h; by default the squared median distance of the points divided by log(n + 1), anew in each step.

    Example:
        ```python
        from kprob.objectives import RBF

        assert RBF(bandwidth=2.0).get_config() == {"bandwidth": 2.0}
        ```

    Reference:
        Liu and Wang (2016), "Stein variational gradient descent", arXiv:1608.04471.
    """

    def __init__(self, bandwidth: float | None = None):
        if bandwidth is not None:  # the median heuristic
            check_number("bandwidth", bandwidth, 0.0, example=1.0, error=CompileError)
        self.bandwidth = bandwidth

    def scale(self, points: Tensor) -> Tensor:
        if self.bandwidth is not None:
            return keras.ops.convert_to_tensor(self.bandwidth, dtype="float32")
        subset = stop(points)[:MEDIAN_POINTS]
        number = subset.shape[0] or MEDIAN_POINTS
        distances = keras.ops.reshape(_squared_distances(subset, subset), (-1,))
        # Half of all pairs are below it; each point's distance to itself isn't counted.
        middle = keras.ops.sort(distances)[(number * number + number) // 2 if number > 1 else 0]
        return keras.ops.maximum(middle, 1e-6) / math.log(number + 1.0)

    def matrix(self, first: Tensor, second: Tensor, scale: Tensor) -> Tensor:
        return keras.ops.exp(-_squared_distances(first, second) / scale)

    def drift(self, points: Tensor, scale: Tensor) -> Tensor:
        matrix = self.matrix(points, points, scale)
        apart = keras.ops.sum(matrix, axis=1, keepdims=True) * points - keras.ops.matmul(matrix, points)
        return 2.0 / scale * apart / points.shape[0]

    def get_config(self) -> dict:
        return {"bandwidth": self.bandwidth}


@register
class Linear(Kernel):
    """The linear kernel x · y + 1. With it, particles find the mean and covariance of a normal posterior exactly.

    Example:
        ```python
        from kprob.objectives import Linear

        assert Linear().get_config() == {}
        ```

    Reference:
        Liu and Wang (2018), "Stein variational gradient descent as moment matching", arXiv:1810.11693.
    """

    def matrix(self, first: Tensor, second: Tensor, scale: Tensor) -> Tensor:
        return keras.ops.matmul(first, keras.ops.transpose(second)) + 1.0

    def drift(self, points: Tensor, scale: Tensor) -> Tensor:
        return points


def get_kernel(kernel: object) -> Kernel:
    """Returns a kernel: one itself, or by the name "rbf" or "linear"."""
    known = {"rbf": RBF, "linear": Linear}
    if isinstance(kernel, str) and kernel.lower() in known:
        return known[kernel.lower()]()
    if not isinstance(kernel, Kernel):
        raise CompileError(
            explain(
                "There is no such kernel.",
                received=repr(kernel),
                expected='"rbf", "linear", or a kernel such as kprob.objectives.RBF()',
                fix='write kernel="rbf"',
            )
        )
    return kernel


def _squared_distances(first: Tensor, second: Tensor) -> Tensor:
    difference = keras.ops.expand_dims(first, 1) - keras.ops.expand_dims(second, 0)
    return keras.ops.sum(keras.ops.square(difference), axis=-1)
