"""Random matrices given by their Cholesky factors, with the density of the factor.

TFP's density with `input_output_cholesky=True` is that of the matrix X = L Lᵀ. L's has the change of volume besides:

    |dX / dL| = 2ⁿ ∏ᵢ Lᵢᵢ^(n + 1 − i),   i = 1, ..., n
"""

import math

import keras
from keras import ops

from kprob.backend import tfd
from kprob.types import Distribution, Tensor


class WishartTriL(tfd.WishartTriL):
    """`tfd.WishartTriL` of Cholesky factors, whose density is theirs."""

    def _log_prob(self, x: Tensor) -> Tensor:
        size = x.shape[-1]
        powers = ops.arange(size, 0, -1, dtype=keras.backend.standardize_dtype(x.dtype))
        diagonal = ops.diagonal(x, axis1=-2, axis2=-1)
        return super()._log_prob(x) + size * math.log(2.0) + ops.sum(powers * ops.log(diagonal), axis=-1)


def wishart_of(distribution: Distribution) -> Distribution:
    """Returns a `tfd.WishartTriL`; of Cholesky factors with their density.

    Args:
        distribution: A `tfd.WishartTriL`.
    """
    return WishartTriL(**distribution.parameters) if distribution.input_output_cholesky else distribution


def correlations_of(distribution: Distribution) -> Distribution:
    """Returns a `tfd.LKJ`; of Cholesky factors the `tfd.CholeskyLKJ`, which has their density.

    Args:
        distribution: A `tfd.LKJ`.
    """
    if not distribution.input_output_cholesky:
        return distribution
    return tfd.CholeskyLKJ(distribution.dimension, distribution.parameters["concentration"])
