"""Distributions of one latent's unconstrained values given those of the latents before it.

Their batch axes are the latent's plates, so that a latent of a joint guide is a site like any other: the log-densities of
all sites sum to the joint one. Every draw is a function of noise, so that gradients flow through it.
"""

import math
from typing import Any

from keras import ops

from kprob.backend import random, tfd
from kprob.guides.numbers.vectors import flatten, matvec, solve_lower_triangular, unflatten
from kprob.numerics import LOG_2_PI
from kprob.types import Seed, Tensor


class LatentDistribution(tfd.Distribution):
    """Base class of distributions of a latent's unconstrained values.

    To subclass, override `draw(sample_shape, seed)` and `density(value)`, which has a number for each element of the
    batch.

    Args:
        loc: A tensor of the shape of one value, batch axes included.
        event_ndims: How many of its last axes are the event.
        **parameters: Further tensors, by name, that the distribution is made of.
    """

    def __init__(self, loc: Tensor, event_ndims: int, **parameters: Tensor):
        self._loc, self._ndims = ops.convert_to_tensor(loc), event_ndims
        super().__init__(
            dtype=self._loc.dtype,
            reparameterization_type=tfd.FULLY_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters={"loc": self._loc, **parameters},
            name=type(self).__name__,
        )

    @property
    def loc(self) -> Tensor:
        """Where the values lie; for a normal the mean."""
        return self._loc

    def draw(self, sample_shape: tuple[int, ...], seed: Seed) -> Tensor:
        """Draws values of shape `sample_shape + batch_shape + event_shape`."""
        raise NotImplementedError

    def density(self, value: Tensor) -> Tensor:
        """Returns the log-density for each element of the batch."""
        raise NotImplementedError

    def _batch_shape(self) -> Any:
        return self._loc.shape[: len(self._loc.shape) - self._ndims]

    def _batch_shape_tensor(self) -> Tensor:
        return ops.convert_to_tensor(ops.shape(self._loc)[: len(self._loc.shape) - self._ndims], dtype="int32")

    def _event_shape(self) -> Any:
        return self._loc.shape[len(self._loc.shape) - self._ndims :]

    def _event_shape_tensor(self) -> tuple:
        return tuple(self._event_shape())

    def _call_sample_n(self, sample_shape: Any, seed: Seed, **kwargs: Any) -> Tensor:
        # TFP's own would return a copy, and the noise that a value was made of is found by the value itself.
        shape = (sample_shape,) if isinstance(sample_shape, int) else tuple(sample_shape)
        return self.draw(tuple(int(size) for size in shape), seed)

    def _log_prob(self, value: Tensor) -> Tensor:
        return self.density(value)

    def sum_event(self, numbers: Tensor) -> Tensor:
        """Sums over the axes of the event."""
        return ops.sum(numbers, axis=tuple(range(-self._ndims, 0))) if self._ndims else numbers

    def share_among_plates(self, density: Tensor, value: Tensor) -> Tensor:
        """Shares one number for each draw (and row) out evenly among the elements of a value's plates."""
        plates = tuple(value.shape)[len(density.shape) : len(value.shape) - self._ndims]
        if not plates:
            return density
        shared = ops.reshape(density / math.prod(plates), (*ops.shape(density), *[1] * len(plates)))
        return ops.broadcast_to(shared, (*ops.shape(density), *plates))


class PointMass(LatentDistribution):
    """A point mass, whose log-density counts as zero."""

    def draw(self, sample_shape: tuple[int, ...], seed: Seed) -> Tensor:
        return ops.broadcast_to(self._loc, (*sample_shape, *ops.shape(self._loc))) if sample_shape else self._loc

    def density(self, value: Tensor) -> Tensor:
        return self.sum_event(ops.zeros_like(value))

    def _mean(self) -> Tensor:
        return self._loc

    def _mode(self) -> Tensor:
        return self._loc

    def _stddev(self) -> Tensor:
        return ops.zeros_like(self._loc)


class ConditionalNormal(LatentDistribution):
    """Jointly normal numbers loc + L ε, with a log-density for each number given those before it.

    Args:
        loc: Means, of the shape of one value.
        scale_tril: Lower triangular L of the flattened numbers of one value, or of one row.
        shape: Shape of the numbers that are flattened.
        event_ndims: How many of the last axes are the event.
    """

    def __init__(self, loc: Tensor, scale_tril: Tensor, shape: tuple[int, ...], event_ndims: int):
        self._tril, self._shape = scale_tril, shape
        self._last_draw: tuple[Tensor, Tensor] = (None, None)  # a value and its noise
        super().__init__(loc, event_ndims, scale_tril=scale_tril)

    def draw(self, sample_shape: tuple[int, ...], seed: Seed) -> Tensor:
        loc = flatten(self._loc, self._shape)
        noise = random.normal((*sample_shape, *ops.shape(loc)), seed, loc.dtype)
        value = unflatten(loc + matvec(self._tril, noise), self._shape)
        self._last_draw = value, noise
        return value

    def noise(self, value: Tensor) -> Tensor:
        """Returns the noise, flattened, that a value is made of."""
        last_value, last_noise = self._last_draw
        if value is last_value:
            return last_noise
        return solve_lower_triangular(self._tril, flatten(value, self._shape) - flatten(self._loc, self._shape))

    def density(self, value: Tensor) -> Tensor:
        noise = self.noise(value)
        logs = ops.log(ops.diagonal(self._tril, axis1=-2, axis2=-1))
        return self.sum_event(unflatten(-0.5 * noise * noise - logs - 0.5 * LOG_2_PI, self._shape))

    def _mean(self) -> Tensor:
        return self._loc

    def _stddev(self) -> Tensor:
        return unflatten(ops.sqrt(ops.sum(self._tril * self._tril, axis=-1)), self._shape)


class ConditionalLowRankNormal(LatentDistribution):
    """Jointly normal numbers loc + W η + s ε, with few η; their log-density in time linear in their number.

    Args:
        loc: Means, of the shape of one value.
        factor: W, shape (..., numbers, rank).
        scale: s, shape (..., numbers).
        shape: Shape of the numbers that are flattened.
        event_ndims: How many of the last axes are the event.
    """

    def __init__(self, loc: Tensor, factor: Tensor, scale: Tensor, shape: tuple[int, ...], event_ndims: int):
        self._factor, self._scale, self._shape = factor, scale, shape
        super().__init__(loc, event_ndims, factor=factor, scale=scale)

    def draw(self, sample_shape: tuple[int, ...], seed: Seed) -> Tensor:
        loc = flatten(self._loc, self._shape)
        common = random.normal((*sample_shape, *ops.shape(loc)[:-1], self._factor.shape[-1]), random.fold_in(seed, 0))
        own = random.normal((*sample_shape, *ops.shape(loc)), random.fold_in(seed, 1))
        return unflatten(loc + matvec(self._factor, common) + self._scale * own, self._shape)

    def density(self, value: Tensor) -> Tensor:
        # Woodbury's formula and the determinant lemma: K = I + Wᵀ s⁻² W.
        weighted = self._factor / self._scale[..., None]
        residual = (flatten(value, self._shape) - flatten(self._loc, self._shape)) / self._scale
        transposed = ops.swapaxes(weighted, -1, -2)
        root = ops.cholesky(ops.matmul(transposed, weighted) + ops.eye(weighted.shape[-1], dtype=weighted.dtype))
        explained = solve_lower_triangular(root, matvec(transposed, residual))
        logs = ops.sum(ops.log(self._scale), axis=-1)
        logs = logs + ops.sum(ops.log(ops.diagonal(root, axis1=-2, axis2=-1)), axis=-1)
        square = ops.sum(residual * residual, axis=-1) - ops.sum(explained * explained, axis=-1)
        return self.share_among_plates(-0.5 * square - logs - 0.5 * LOG_2_PI * self._scale.shape[-1], value)

    def _mean(self) -> Tensor:
        return self._loc

    def _stddev(self) -> Tensor:
        variance = ops.sum(self._factor * self._factor, axis=-1) + self._scale * self._scale
        return unflatten(ops.sqrt(variance), self._shape)
