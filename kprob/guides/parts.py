"""Distributions of one latent's unconstrained values given those of the latents before it.

Their batch axes are the latent's plates, so that a latent of a joint guide is a site like any other: the log-densities of
all sites sum to the joint one. Every draw is a function of noise, so that gradients flow through it.
"""

import math

from keras import ops

from kprob.backend import random, tfd
from kprob.numerics import LOG_2_PI


class Part(tfd.Distribution):
    """Base class: a distribution that draws and weighs by functions of tensors.

    To subclass, override `draw(sample_shape, seed)` and `density(value)`, which has a number for each element of the
    batch.

    Args:
        loc: A tensor of the shape of one value, batch axes included.
        event_ndims: How many of its last axes are the event.
        **parameters: Further tensors, by name, that the distribution is made of.
    """

    def __init__(self, loc, event_ndims: int, **parameters):
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
    def loc(self):
        """Where the values lie; for a normal the mean."""
        return self._loc

    def draw(self, sample_shape: tuple, seed):
        """Draws values of shape `sample_shape + batch_shape + event_shape`."""
        raise NotImplementedError

    def density(self, value):
        """Returns the log-density for each element of the batch."""
        raise NotImplementedError

    def _batch_shape(self):
        return self._loc.shape[: len(self._loc.shape) - self._ndims]

    def _batch_shape_tensor(self):
        return ops.convert_to_tensor(ops.shape(self._loc)[: len(self._loc.shape) - self._ndims], dtype="int32")

    def _event_shape(self):
        return self._loc.shape[len(self._loc.shape) - self._ndims :]

    def _event_shape_tensor(self):
        return tuple(self._event_shape())

    def _call_sample_n(self, sample_shape, seed, **kwargs):
        # TFP's own would return a copy, and the noise that a value was made of is found by the value itself.
        shape = (sample_shape,) if isinstance(sample_shape, int) else tuple(sample_shape)
        return self.draw(tuple(int(size) for size in shape), seed)

    def _log_prob(self, value):
        return self.density(value)

    def sum_event(self, numbers):
        """Sums over the axes of the event."""
        return ops.sum(numbers, axis=tuple(range(-self._ndims, 0))) if self._ndims else numbers

    def spread(self, density, value):
        """Shares one number for each draw (and row) out evenly among the elements of a value's plates."""
        plates = tuple(value.shape)[len(density.shape) : len(value.shape) - self._ndims]
        if not plates:
            return density
        shared = ops.reshape(density / math.prod(plates), (*ops.shape(density), *[1] * len(plates)))
        return ops.broadcast_to(shared, (*ops.shape(density), *plates))


class Point(Part):
    """A point mass, whose log-density counts as zero."""

    def draw(self, sample_shape: tuple, seed):
        return ops.broadcast_to(self._loc, (*sample_shape, *ops.shape(self._loc))) if sample_shape else self._loc

    def density(self, value):
        return self.sum_event(ops.zeros_like(value))

    def _mean(self):
        return self._loc

    def _mode(self):
        return self._loc

    def _stddev(self):
        return ops.zeros_like(self._loc)


class NormalPart(Part):
    """Jointly normal numbers loc + L ε, with a log-density for each number given those before it.

    Args:
        loc: Means, of the shape of one value.
        scale_tril: Lower triangular L of the flattened numbers of one value, or of one row.
        shape: Shape of the numbers that are flattened.
        event_ndims: How many of the last axes are the event.
    """

    def __init__(self, loc, scale_tril, shape: tuple[int, ...], event_ndims: int):
        self._tril, self._shape = scale_tril, shape
        self._noise: tuple = (None, None)
        super().__init__(loc, event_ndims, scale_tril=scale_tril)

    def draw(self, sample_shape: tuple, seed):
        loc = flattened(self._loc, self._shape)
        noise = random.normal((*sample_shape, *ops.shape(loc)), seed, loc.dtype)
        value = unflattened(loc + product(self._tril, noise), self._shape)
        self._noise = value, noise
        return value

    def noise(self, value):
        """Returns the noise, flattened, that a value is made of."""
        if value is self._noise[0]:
            return self._noise[1]
        return solve(self._tril, flattened(value, self._shape) - flattened(self._loc, self._shape))

    def density(self, value):
        noise = self.noise(value)
        logs = ops.log(ops.diagonal(self._tril, axis1=-2, axis2=-1))
        return self.sum_event(unflattened(-0.5 * noise * noise - logs - 0.5 * LOG_2_PI, self._shape))

    def _mean(self):
        return self._loc

    def _stddev(self):
        return unflattened(ops.sqrt(ops.sum(self._tril * self._tril, axis=-1)), self._shape)


class LowRankPart(Part):
    """Jointly normal numbers loc + W η + s ε, with few η; their log-density in time linear in their number.

    Args:
        loc: Means, of the shape of one value.
        factor: W, shape (..., numbers, rank).
        scale: s, shape (..., numbers).
        shape: Shape of the numbers that are flattened.
        event_ndims: How many of the last axes are the event.
    """

    def __init__(self, loc, factor, scale, shape: tuple[int, ...], event_ndims: int):
        self._factor, self._scale, self._shape = factor, scale, shape
        super().__init__(loc, event_ndims, factor=factor, scale=scale)

    def draw(self, sample_shape: tuple, seed):
        loc = flattened(self._loc, self._shape)
        few = random.normal((*sample_shape, *ops.shape(loc)[:-1], self._factor.shape[-1]), random.fold_in(seed, 0))
        own = random.normal((*sample_shape, *ops.shape(loc)), random.fold_in(seed, 1))
        return unflattened(loc + product(self._factor, few) + self._scale * own, self._shape)

    def density(self, value):
        # Woodbury's formula and the determinant lemma: K = I + Wᵀ s⁻² W.
        weighted = self._factor / self._scale[..., None]
        rest = (flattened(value, self._shape) - flattened(self._loc, self._shape)) / self._scale
        turned = ops.swapaxes(weighted, -1, -2)
        root = ops.cholesky(ops.matmul(turned, weighted) + ops.eye(weighted.shape[-1], dtype=weighted.dtype))
        explained = solve(root, product(turned, rest))
        logs = ops.sum(ops.log(self._scale), axis=-1)
        logs = logs + ops.sum(ops.log(ops.diagonal(root, axis1=-2, axis2=-1)), axis=-1)
        square = ops.sum(rest * rest, axis=-1) - ops.sum(explained * explained, axis=-1)
        return self.spread(-0.5 * square - logs - 0.5 * LOG_2_PI * self._scale.shape[-1], value)

    def _mean(self):
        return self._loc

    def _stddev(self):
        variance = ops.sum(self._factor * self._factor, axis=-1) + self._scale * self._scale
        return unflattened(ops.sqrt(variance), self._shape)


def flattened(value, shape: tuple[int, ...]):
    """Returns a value with the last axes, which have a given shape, made one."""
    lead = ops.shape(value)[: len(value.shape) - len(shape)]
    return value if len(shape) == 1 else ops.reshape(value, (*lead, math.prod(shape)))


def unflattened(numbers, shape: tuple[int, ...]):
    """Returns numbers with the last axis given a shape."""
    return numbers if len(shape) == 1 else ops.reshape(numbers, (*ops.shape(numbers)[:-1], *shape))


def product(matrix, vector):
    """Returns a matrix times a vector, both with any leading axes."""
    return ops.matmul(matrix, vector[..., None])[..., 0]


def solve(tril, vector):
    """Returns L⁻¹ times a vector, both with any leading axes."""
    if tril.shape[-1] == 1:
        return vector / tril[..., 0]
    lead = ops.shape(vector)[:-1]
    if len(lead) > len(tril.shape) - 2:
        tril = ops.broadcast_to(tril, (*lead, *tril.shape[-2:]))
    return ops.solve_triangular(tril, vector[..., None], lower=True)[..., 0]
