"""Slice sampling along random directions."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from kprob.backend import random
from kprob.checks import check_count
from kprob.errors import CompileError
from kprob.samplers.adaptation.adaptive import Tuning, adaptive_kernel
from kprob.samplers.kernels.moves import nan_like
from kprob.samplers.nuts import proper
from kprob.samplers.sampler import Info, Kernel, Sampler
from kprob.samplers.stepping import check_positive
from kprob.saving import register
from kprob.types import Seed, Tensor


@register
class Slice(Sampler):
    """Slice sampling: a draw from the part of a random line where the density is above a random level.

    It needs no gradient and no step size that fits: the bracket on the line grows and shrinks by itself. The covariance
    along which lines are drawn is learned while warming up.

    Args:
        num_warmup: Transitions of each chain that tune the sampler.
        num_samples: Draws that each chain keeps.
        num_chains: Chains.
        width: Width of the first bracket, in standard deviations.
        max_steps: Widths by which a bracket grows at most.
        num_lines: Lines per transition.
        dense_mass: Whether lines follow a full covariance rather than a diagonal.
        **options: `init`, `chain_method`, `block_size` (see `Sampler`).

    Example:
        ```python
        import kprob

        assert kprob.samplers.Slice(num_lines=3).num_lines == 3
        ```

    Reference:
        Neal (2003), "Slice sampling".
    """

    def __init__(
        self,
        num_warmup: int = 500,
        num_samples: int = 1000,
        num_chains: int = 4,
        *,
        width: float = 2.0,
        max_steps: int = 8,
        num_lines: int = 1,
        dense_mass: bool = False,
        **options: Any,
    ):
        super().__init__(num_warmup, num_samples, num_chains, **options)
        check_positive(self, "width", width)
        check_count("max_steps", max_steps, 1, CompileError)
        check_count("num_lines", num_lines, 1, CompileError)
        self.width, self.max_steps, self.num_lines, self.dense_mass = width, max_steps, num_lines, dense_mass

    def kernel(self, log_density: Callable) -> Kernel:
        def transition(seed: Seed, z: Tensor, target: Callable, step_size: Tensor) -> tuple[Tensor, Info]:
            def line(i: Tensor, z: Tensor, value: Tensor, tries: Tensor) -> tuple:
                z, value, more = _line(random.fold_in(seed, i), z, value, target, self.width, self.max_steps)
                return i + 1, z, value, tries + more

            zero = ops.zeros((), "int32")
            start = (zero, z, target(z), zero)
            _, z, value, tries = ops.while_loop(lambda i, *_: i < self.num_lines, line, start)
            return z, Info(
                log_density=value,
                accept_rate=ops.ones_like(step_size),
                step_size=ops.full_like(step_size, self.width),
                num_steps=ops.cast(tries, "float32"),
                tree_depth=ops.zeros_like(step_size),
                diverging=ops.zeros_like(step_size),
                energy=nan_like(step_size),
            )

        # Only the scale is learned: the step size that is tuned beside it is used by nothing.
        return adaptive_kernel(transition, proper(log_density), Tuning(self.num_warmup, 1.0, 1.0, self.dense_mass))

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "width": self.width,
            "max_steps": self.max_steps,
            "num_lines": self.num_lines,
            "dense_mass": self.dense_mass,
        }


def _line(seed: Seed, z: Tensor, value: Tensor, target: Callable, width: float, max_steps: int) -> tuple:
    # A bracket around the point is stepped out until its ends are below the level, then shrunk to points tried in vain.
    dtype = keras.backend.standardize_dtype(z.dtype)
    direction = random.normal(tuple(z.shape), random.fold_in(seed, 0), dtype)
    direction = direction / ops.sqrt(ops.sum(ops.square(direction)))
    level, place, share = ops.unstack(random.uniform((3,), random.fold_in(seed, 1), dtype))
    level = value + ops.log(level)
    # Neal's limit: the steps are shared at random between the two sides, which keeps the move reversible.
    left_steps = ops.cast(ops.floor(share * max_steps), "int32")
    zero = ops.zeros((), "int32")

    def grow(end: Tensor, sign: float, steps: Tensor) -> tuple:
        def above(count: Tensor, end: Tensor) -> Tensor:
            return ops.logical_and(count < steps, target(z + end * direction) > level)

        return ops.while_loop(above, lambda count, end: (count + 1, end + sign * width), (zero, end))

    left_tries, left = grow(-place * width, -1.0, left_steps)
    right_tries, right = grow((1.0 - place) * width, 1.0, max_steps - 1 - left_steps)

    def shrink(count: Tensor, left: Tensor, right: Tensor, at: Tensor, _: Tensor) -> tuple:
        unit = ops.reshape(random.uniform((1,), random.fold_in(random.fold_in(seed, 2), count), dtype), ())
        at = left + unit * (right - left)
        found = target(z + at * direction)
        return count + 1, ops.where(at < 0, at, left), ops.where(at < 0, right, at), at, found

    # The level lies below the point itself, so a bracket that shrinks to it ends; the bound is for rounding.
    start = (zero, left, right, ops.zeros((), dtype), ops.full_like(value, -float("inf")))
    tries, _, _, at, found = ops.while_loop(
        lambda count, left, right, at, found: ops.logical_and(count < 100, found < level), shrink, start
    )
    inside = found >= level
    moved = ops.where(inside, z + at * direction, z)
    return moved, ops.where(inside, found, value), left_tries + right_tries + tries
