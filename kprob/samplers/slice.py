"""Slice sampling along random directions."""

from collections.abc import Callable
from typing import Any

from keras import ops

from kprob.backend import random
from kprob.checks import check_count
from kprob.errors import CompileError
from kprob.options import check_flag
from kprob.samplers.adaptation.tuned_kernel import TuningOptions, move_in_coordinates, tuned_kernel
from kprob.samplers.argument_checks import check_positive
from kprob.samplers.kernels.impossible import proper
from kprob.samplers.kernels.kernel import Info, Kernel
from kprob.samplers.kernels.line_slice import line_slice
from kprob.samplers.kernels.not_a_number import nan_like
from kprob.samplers.sampler import Sampler
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
        check_positive("width", width)
        check_count("max_steps", max_steps, 1, CompileError)
        check_count("num_lines", num_lines, 1, CompileError)
        check_flag("dense_mass", dense_mass, CompileError)
        self.width, self.max_steps, self.num_lines, self.dense_mass = width, max_steps, num_lines, dense_mass

    def kernel(self, log_density: Callable) -> Kernel:
        def transition(seed: Seed, z: Tensor, target: Callable, step_size: Tensor) -> tuple[Tensor, Info]:
            def line(i: Tensor, z: Tensor, value: Tensor, tries: Tensor) -> tuple:
                z, value, more = line_slice(random.fold_in(seed, i), z, value, target, self.width, self.max_steps)
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

        # Only the scale is learned: nothing uses the step size that is tuned with it.
        options = TuningOptions(self.num_warmup, 1.0, 1.0, self.dense_mass)
        return tuned_kernel(move_in_coordinates(transition, proper(log_density)), options)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "width": self.width,
            "max_steps": self.max_steps,
            "num_lines": self.num_lines,
            "dense_mass": self.dense_mass,
        }
