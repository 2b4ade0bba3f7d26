"""Monotone rational-quadratic splines on an interval, the identity outside: elementwise, invertible in closed form.

Between two knots with slope s = Δy / Δx and derivatives d_0, d_1, at θ = (x − x_0) / Δx,

    y = y_0 + Δy (s θ² + d_0 θ (1 − θ)) / D,     D = s + (d_0 + d_1 − 2 s) θ (1 − θ),
    dy/dx = s² (d_1 θ² + 2 s θ (1 − θ) + d_0 (1 − θ)²) / D²

(Durkan, Bekasov, Murray and Papamakarios 2019, "Neural spline flows").
"""

import math
from typing import TypeAlias

from keras import ops

from kprob.types import Tensor

_Pair: TypeAlias = tuple[Tensor, Tensor]

# Bins have at least this share of the interval, and derivatives at least this value.
SMALLEST = 1e-3
# Raw numbers of zero stand for a derivative of one.
_SHIFT = math.log(math.expm1(1.0 - SMALLEST))


def spline_numbers(num_bins: int) -> int:
    """Returns how many numbers a spline is made of: widths, heights, and derivatives at the inner knots."""
    return 3 * num_bins - 1


def spline_forward(x: Tensor, raw: Tensor, num_bins: int, bound: float) -> tuple[Tensor, Tensor]:
    """Returns the values of splines, and the logarithms of their derivatives.

    Args:
        x: Numbers, shape (...).
        raw: Unconstrained numbers behind each spline, shape (..., spline_numbers); zeros are the identity.
        num_bins: Bins of each spline.
        bound: The interval is (-bound, bound).
    """
    xs, ys, slopes = _knots(raw, num_bins, bound)
    inside = ops.logical_and(x > -bound, x < bound)
    at = ops.where(inside, x, ops.zeros_like(x))
    (x0, width), (y0, height), (d0, d1) = _bin(at, xs, xs, ys, slopes)
    s = height / width
    theta = (at - x0) / width
    y, log_slope = _evaluate(theta, s, d0, d1)
    return ops.where(inside, y0 + height * y, x), ops.where(inside, log_slope, ops.zeros_like(x))


def spline_inverse(y: Tensor, raw: Tensor, num_bins: int, bound: float) -> tuple[Tensor, Tensor]:
    """Returns the numbers that splines carry to given values, and the logarithms of the splines' derivatives there."""
    xs, ys, slopes = _knots(raw, num_bins, bound)
    inside = ops.logical_and(y > -bound, y < bound)
    at = ops.where(inside, y, ops.zeros_like(y))
    (x0, width), (y0, height), (d0, d1) = _bin(at, ys, xs, ys, slopes)
    s = height / width
    part = (at - y0) / height
    # The quadratic equation a θ² + b θ + c = 0, by the form that loses no digits.
    bend = d0 + d1 - 2.0 * s
    a, b, c = (s - d0) + part * bend, d0 - part * bend, -s * part
    theta = 2.0 * c / (-b - ops.sqrt(ops.maximum(b * b - 4.0 * a * c, 1e-12)))
    _, log_slope = _evaluate(theta, s, d0, d1)
    return ops.where(inside, x0 + theta * width, y), ops.where(inside, log_slope, ops.zeros_like(y))


def _evaluate(theta: Tensor, s: Tensor, d0: Tensor, d1: Tensor) -> tuple[Tensor, Tensor]:
    rest = theta * (1.0 - theta)
    bottom = s + (d0 + d1 - 2.0 * s) * rest
    y = (s * theta * theta + d0 * rest) / bottom
    top = d1 * theta * theta + 2.0 * s * rest + d0 * (1.0 - theta) ** 2
    return y, 2.0 * ops.log(s) + ops.log(top) - 2.0 * ops.log(bottom)


def _knots(raw: Tensor, num_bins: int, bound: float) -> tuple[Tensor, Tensor, Tensor]:
    def knots(numbers: Tensor) -> Tensor:
        shares = SMALLEST + (1.0 - SMALLEST * num_bins) * ops.softmax(numbers, axis=-1)
        inner = ops.cumsum(shares, axis=-1)[..., :-1]
        ends = ops.zeros_like(shares[..., :1])
        return 2.0 * bound * ops.concatenate([ends, inner, ends + 1.0], axis=-1) - bound

    inner = SMALLEST + ops.softplus(raw[..., 2 * num_bins :] + _SHIFT)
    one = ops.ones_like(raw[..., :1])
    slopes = ops.concatenate([one, inner, one], axis=-1)
    return knots(raw[..., :num_bins]), knots(raw[..., num_bins : 2 * num_bins]), slopes


def _bin(at: Tensor, edges: Tensor, xs: Tensor, ys: Tensor, slopes: Tensor) -> tuple[_Pair, _Pair, _Pair]:
    # The first x and the width, the first y and the height, and both slopes of the bin of each number: by a sum over all
    # bins rather than by gathers, which XLA is slow at.
    number = edges.shape[-1] - 1
    index = ops.sum(ops.cast(at[..., None] >= edges[..., 1:-1], "int32"), axis=-1)
    chosen = ops.one_hot(index, number, dtype=at.dtype)

    def pick(values: Tensor) -> Tensor:
        return ops.sum(values * chosen, axis=-1)

    def first_and_length(knots: Tensor) -> _Pair:
        return pick(knots[..., :-1]), pick(knots[..., 1:] - knots[..., :-1])

    return first_and_length(xs), first_and_length(ys), (pick(slopes[..., :-1]), pick(slopes[..., 1:]))
