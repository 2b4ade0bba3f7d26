"""A trajectory of the No-U-Turn sampler, doubled until it turns back, as two nested loops around one leapfrog step.

Momenta p are standard normal; positions move by step · scale · p, so that all directions are about equally wide. A
trajectory is a balanced binary tree whose leaves are its points. Leaf n of a half that grows is in turn the last one of as
many complete subtrees as n has trailing ones in binary; the first points of those that may still end are kept, in the
places that `_bookkeeping` counts out.

Reference:
    Hoffman and Gelman (2014), "The No-U-Turn sampler"; Betancourt (2017), "A conceptual introduction to Hamiltonian Monte
    Carlo"; Phan, Pradhan and Jankowiak (2019), "Composable effects for flexible and accelerated probabilistic programming
    in NumPyro", on the tree without recursion.
"""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from kprob.backend import random
from kprob.numerics import select
from kprob.samplers.kernels.coordinates import to_position, to_slope
from kprob.samplers.kernels.evaluated_point import EvaluatedPoint, evaluate
from kprob.samplers.kernels.kernel import MAX_ENERGY_ERROR
from kprob.types import Seed, Tensor

_NOTHING = -1e30  # the logarithm of a weight of nothing, whose differences are numbers


class TrajectoryEnd(NamedTuple):
    """An end of a trajectory."""

    position: Tensor
    momentum: Tensor
    slope: Tensor


class TrajectoryCandidate(NamedTuple):
    """The point that is drawn from a trajectory, or from a part of it.

    Attributes:
        point: The point.
        level: Minus the energy there, relative to the start.
        log_weight: Logarithm of the sum of the points' weights.
    """

    point: EvaluatedPoint
    level: Tensor
    log_weight: Tensor


class TrajectoryDraw(NamedTuple):
    """The draw from a trajectory, and how the trajectory went.

    Attributes:
        point: The draw.
        accept_rate: Mean acceptance probability of its points.
        num_steps: Leapfrog steps.
        depth: Doublings.
        diverging: Whether the energy's error passed all bounds.
        energy: Energy at the draw.
    """

    point: EvaluatedPoint
    accept_rate: Tensor
    num_steps: Tensor
    depth: Tensor
    diverging: Tensor
    energy: Tensor


class _GrowingHalf(NamedTuple):
    # The part of a trajectory that grows by one leaf after the other; `firsts` are momenta, `sums` those before them.
    leaf: Tensor
    edge: TrajectoryEnd
    candidate: TrajectoryCandidate
    total: Tensor
    firsts: Tensor
    sums: Tensor
    accepted: Tensor
    going: Tensor
    diverging: Tensor


class _TrajectoryTree(NamedTuple):
    depth: Tensor
    left: TrajectoryEnd
    right: TrajectoryEnd
    candidate: TrajectoryCandidate
    total: Tensor
    accepted: Tensor
    num_steps: Tensor
    going: Tensor
    diverging: Tensor


def no_u_turn(
    seed: Seed, start: EvaluatedPoint, log_density: Callable, scale: Tensor, step_size: Tensor, max_depth: int
) -> TrajectoryDraw:
    """Draws a point from a trajectory through another point.

    Args:
        seed: A seed.
        start: The point.
        log_density: From a vector to a scalar.
        scale: Standard deviations (d,), or a Cholesky factor (d, d).
        step_size: Of the leapfrog steps.
        max_depth: Doublings at most.
    """
    momentum = _normal(start.position, random.fold_in(seed, 0))
    coin = random.fold_in(seed, 1)
    start_level = start.log_density - 0.5 * _dot(momentum, momentum)
    zero = ops.zeros_like(start.log_density)
    no = ops.zeros((), "bool")
    edge = TrajectoryEnd(start.position, momentum, start.slope)
    first = TrajectoryCandidate(start, zero, zero)

    def double(*values: Tensor) -> tuple:
        tree = _TrajectoryTree(*values)
        key = random.fold_in(coin, tree.depth)
        forward = random.mixed_uniform(key, 0, _dtype(zero)) < 0.5
        step = ops.where(forward, step_size, -step_size)
        begin = select(forward, tree.right, tree.left)
        half = _grow(random.fold_in(key, 1), begin, log_density, scale, step, start_level, tree.depth, max_depth)
        return tuple(_joined(tree, half, forward, random.mixed_uniform(key, 2, _dtype(zero))))

    initial = _TrajectoryTree(ops.zeros((), "int32"), edge, edge, first, momentum, zero, zero, ops.ones((), "bool"), no)

    def goes_on(*values: Tensor) -> Tensor:
        tree = _TrajectoryTree(*values)
        return ops.logical_and(tree.going, tree.depth < max_depth)

    tree = _TrajectoryTree(*ops.while_loop(goes_on, double, tuple(initial)))
    return TrajectoryDraw(
        tree.candidate.point,
        tree.accepted / tree.num_steps,
        tree.num_steps,
        tree.depth,
        tree.diverging,
        -(tree.candidate.level + start_level),
    )


def _joined(tree: _TrajectoryTree, half: _GrowingHalf, forward: Tensor, uniform: Tensor) -> _TrajectoryTree:
    # The half gives the draw with the ratio of its weight to the old one's as probability, which favours new places.
    better = ops.log(uniform) < half.candidate.log_weight - tree.candidate.log_weight
    chosen = select(ops.logical_and(half.going, better), half.candidate, tree.candidate)
    left, right = select(forward, tree.left, half.edge), select(forward, half.edge, tree.right)
    total = tree.total + half.total
    return _TrajectoryTree(
        tree.depth + 1,
        left,
        right,
        chosen._replace(log_weight=_log_add(tree.candidate.log_weight, half.candidate.log_weight)),
        total,
        tree.accepted + half.accepted,
        tree.num_steps + ops.cast(half.leaf, _dtype(tree.num_steps)),
        ops.logical_and(half.going, ops.logical_not(_turns(left.momentum, right.momentum, total))),
        half.diverging,
    )


def _grow(
    seed: Seed,
    begin: TrajectoryEnd,
    log_density: Callable,
    scale: Tensor,
    step: Tensor,
    start_level: Tensor,
    depth: Tensor,
    max_depth: int,
) -> _GrowingHalf:
    # Grows 2^depth leaves, or fewer where the trajectory turns or diverges.
    writes, lasts, firsts = (ops.convert_to_tensor(table) for table in _bookkeeping(max_depth))
    size, dtype = begin.position.shape[0], _dtype(begin.position)
    leaves = ops.left_shift(ops.ones((), "int32"), depth)
    zero = ops.zeros_like(start_level)
    nothing = TrajectoryCandidate(EvaluatedPoint(begin.position, begin.slope, zero), zero, zero + _NOTHING)

    def leaf(*values: Tensor) -> tuple:
        half = _GrowingHalf(*values)
        edge, value = _leapfrog(half.edge, log_density, scale, step)
        level = value - 0.5 * _dot(edge.momentum, edge.momentum) - start_level
        level = ops.maximum(ops.where(ops.isnan(level), _NOTHING, level), _NOTHING)
        log_weight = _log_add(half.candidate.log_weight, level)
        uniform = random.mixed_uniform(seed, half.leaf, dtype)
        chosen = select(
            ops.log(uniform) < level - log_weight,
            TrajectoryCandidate(EvaluatedPoint(edge.position, edge.slope, value), level, log_weight),
            half.candidate,
        )
        write = ops.take(writes, half.leaf)
        kept = ops.slice_update(half.firsts, (write, ops.zeros_like(write)), edge.momentum[None])
        sums = ops.slice_update(half.sums, (write, ops.zeros_like(write)), half.total[None])
        total = half.total + edge.momentum
        turning = _turns_within(
            kept, sums, edge.momentum, total, ops.take(lasts, half.leaf), ops.take(firsts, half.leaf)
        )
        diverging = level < -MAX_ENERGY_ERROR
        return (
            half.leaf + 1,
            edge,
            chosen._replace(log_weight=log_weight),
            total,
            kept,
            sums,
            half.accepted + ops.exp(ops.minimum(level, 0.0)),
            ops.logical_not(ops.logical_or(turning, diverging)),
            diverging,
        )

    def goes_on(*values: Tensor) -> Tensor:
        half = _GrowingHalf(*values)
        return ops.logical_and(half.going, half.leaf < leaves)

    empty = ops.zeros((max_depth + 1, size), dtype)
    none = ops.zeros_like(begin.position)
    initial = _GrowingHalf(
        ops.zeros((), "int32"), begin, nothing, none, empty, empty, zero, ops.ones((), "bool"), ops.zeros((), "bool")
    )
    return _GrowingHalf(*ops.while_loop(goes_on, leaf, tuple(initial)))


def _leapfrog(edge: TrajectoryEnd, log_density: Callable, scale: Tensor, step: Tensor) -> tuple[TrajectoryEnd, Tensor]:
    momentum = edge.momentum + 0.5 * step * to_slope(scale, edge.slope)
    position = edge.position + step * to_position(scale, momentum)
    point = evaluate(position, log_density)
    momentum = momentum + 0.5 * step * to_slope(scale, point.slope)
    return TrajectoryEnd(position, momentum, point.slope), point.log_density


def _turns(first: Tensor, last: Tensor, total: Tensor) -> Tensor:
    # Whether the ends of a trajectory come nearer, both ways of time; half of the ends' own momenta don't count.
    between = total - 0.5 * (first + last)
    return ops.logical_or(_dot(first, between) <= 0.0, _dot(last, between) <= 0.0)


def _turns_within(firsts: Tensor, sums: Tensor, momentum: Tensor, total: Tensor, last: Tensor, first: Tensor) -> Tensor:
    # The complete subtrees that end here, from the smallest one to the largest.
    def look(place: Tensor, turning: Tensor) -> tuple:
        begin = ops.take(firsts, place, axis=0)
        return place - 1, _turns(begin, momentum, total - ops.take(sums, place, axis=0))

    return ops.while_loop(
        lambda place, turning: ops.logical_and(place >= first, ops.logical_not(turning)),
        look,
        (last, ops.zeros((), "bool")),
    )[1]


def _bookkeeping(max_depth: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    # By leaf: where its momentum is kept (the last place where it begins no subtree), and the last and first place of the
    # beginnings of subtrees that end with it.
    leaf = np.arange(2 ** max(max_depth - 1, 0))
    ones = np.array([bin(n >> 1).count("1") for n in leaf])
    ending = np.array([len(bin(n)) - len(bin(n).rstrip("1")) if n % 2 else 0 for n in leaf])
    writes = np.where(leaf % 2 == 0, ones, max_depth)
    return writes.astype("int32"), ones.astype("int32"), (ones - ending + 1).astype("int32")


def _log_add(a: Tensor, b: Tensor) -> Tensor:
    return ops.maximum(a, b) + ops.log1p(ops.exp(-ops.abs(a - b)))


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return ops.sum(a * b)


def _normal(like: Tensor, seed: Seed) -> Tensor:
    return random.normal(tuple(like.shape), seed, _dtype(like))


def _dtype(value: Tensor) -> str:
    return keras.backend.standardize_dtype(value.dtype)
