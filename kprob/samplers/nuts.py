"""The No-U-Turn sampler."""

from collections.abc import Callable
from typing import Any

from kprob.checks import check_count
from kprob.errors import CompileError
from kprob.options import check_flag
from kprob.samplers.adaptation.tuned_kernel import TuningOptions, tuned_kernel
from kprob.samplers.argument_checks import check_positive, check_rate
from kprob.samplers.kernels.evaluated_point import EvaluatedPoint, evaluate
from kprob.samplers.kernels.kernel import Info, Kernel
from kprob.samplers.kernels.no_u_turn import no_u_turn
from kprob.samplers.sampler import Sampler
from kprob.saving import register
from kprob.types import Seed, Tensor


@register
class NUTS(Sampler):
    """The No-U-Turn sampler: Hamiltonian trajectories as long as they need to be.

    Step size and mass matrix are tuned in Stan's windows while warming up. As in Stan, step sizes end a little below what
    would meet `target_accept_rate`: trajectories are accepted at 0.85 to 0.95 where 0.8 was asked for, and more where
    acceptance varies more, so that few of them diverge.

    Args:
        num_warmup: Transitions of each chain that tune the sampler.
        num_samples: Draws that each chain keeps.
        num_chains: Chains.
        step_size: Where the step size starts.
        target_accept_rate: Acceptance probability that the step size is tuned to, and ends above; nearer to 1 where
            trajectories diverge.
        max_tree_depth: Doublings of a trajectory at most.
        dense_mass: Whether the mass matrix is a full one rather than a diagonal.
        **options: `init`, `chain_method`, `block_size` (see `Sampler`).

    Example:
        ```python
        import kprob
        from kprob import tfd

        @kprob.probmodel
        def temperature():
            temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
            kprob.sample("sensor", tfd.Normal(temp, 1.0))

        model = temperature().compile(kprob.NUTS(num_warmup=200, num_samples=200, num_chains=2))
        model.fit({"sensor": 18.0}, verbose=0)
        assert abs(model.posterior("temp").mean() - 17.4) < 0.5
        ```

    Reference:
        Hoffman and Gelman (2014), "The No-U-Turn sampler"; Betancourt (2017), "A conceptual introduction to Hamiltonian
        Monte Carlo".
    """

    within_gibbs = True
    max_tree_depth: int

    def __init__(
        self,
        num_warmup: int = 1000,
        num_samples: int = 1000,
        num_chains: int = 4,
        *,
        step_size: float = 0.1,
        target_accept_rate: float = 0.8,
        max_tree_depth: int = 10,
        dense_mass: bool = False,
        **options: Any,
    ):
        super().__init__(num_warmup, num_samples, num_chains, **options)
        check_positive("step_size", step_size)
        check_rate(target_accept_rate)
        check_count("max_tree_depth", max_tree_depth, 1, CompileError)
        check_flag("dense_mass", dense_mass, CompileError)
        self.step_size, self.target_accept_rate = step_size, target_accept_rate
        self.max_tree_depth, self.dense_mass = max_tree_depth, dense_mass

    def kernel(self, log_density: Callable) -> Kernel:
        def move(seed: Seed, position: Tensor, known: tuple, scale: Tensor, step_size: Tensor) -> tuple:
            start = EvaluatedPoint(position, *known)
            draw = no_u_turn(seed, start, log_density, scale, step_size, self.max_tree_depth)
            info = Info(
                log_density=draw.point.log_density,
                accept_rate=draw.accept_rate,
                step_size=step_size,
                num_steps=draw.num_steps,
                tree_depth=draw.depth,
                diverging=draw.diverging,
                energy=draw.energy,
            )
            return draw.point.position, known_at(draw.point), info

        def known_at(point: EvaluatedPoint) -> tuple[Tensor, Tensor]:
            return point.slope, point.log_density

        options = TuningOptions(
            self.num_warmup, self.step_size, self.target_accept_rate, self.dense_mass, cautious=True
        )
        return tuned_kernel(move, options, lambda position: known_at(evaluate(position, log_density)))

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "step_size": self.step_size,
            "target_accept_rate": self.target_accept_rate,
            "max_tree_depth": self.max_tree_depth,
            "dense_mass": self.dense_mass,
        }
