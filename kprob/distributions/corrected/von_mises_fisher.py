"""The von Mises-Fisher distribution, differentiable for every mean direction.

TFP turns draws around the first axis by a reflection that isn't defined where the mean direction is that axis, and has NaN
gradients there on JAX.
"""

import keras
from keras import ops

from kprob.backend import tfd
from kprob.types import Tensor


class VonMisesFisher(tfd.VonMisesFisher):
    """`tfd.VonMisesFisher` whose draws have gradients for every mean direction m.

    The first axis e is taken to m by the reflection along e - m where m points away from e, and by the reflection along
    e + m followed by a change of sign elsewhere; neither divides by zero. Draws are symmetric about the mean direction, so
    both give the same distribution.
    """

    def _rotate(self, samples: Tensor, mean_direction: Tensor) -> Tensor:
        first = ops.one_hot(0, mean_direction.shape[-1], dtype=keras.backend.standardize_dtype(mean_direction.dtype))
        sign = ops.where(mean_direction[..., :1] < 0.0, -1.0, 1.0)
        normal = first + sign * mean_direction
        length = ops.sum(normal * normal, axis=-1, keepdims=True)
        along = ops.sum(samples * normal, axis=-1, keepdims=True)
        turned = -sign * (samples - 2.0 * along / length * normal)
        return turned / ops.sqrt(ops.sum(turned * turned, axis=-1, keepdims=True))
