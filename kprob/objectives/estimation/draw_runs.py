"""How an objective has its draws run: what it asks of the engine, which runs the networks on a batch."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from kprob.effects import Trace
from kprob.types import Tensor

T = TypeVar("T")  # a structure of tensors


class ParticleMover(Protocol):
    """An objective that moves the particles of a guide."""

    def directed(self, particles: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the particles, with the gradients that they are to have, and a scalar that belongs to the objective.

        Args:
            particles: Unconstrained values, shape (n, D).
        """
        ...


class DrawRuns(Protocol):
    """The ways to run the networks on a batch. Each passes the traces of p and q on to a function, and returns its result."""

    @property
    def foldable(self) -> bool:
        """Whether several draws can be folded into the rows of one run: every latent is inside the data plate."""
        ...

    def in_one_run(self, function: Callable[[Trace, Trace], T], num_draws: int, share_inference: bool) -> T:
        """Runs the networks once: for one draw, or for several where they are `foldable`.

        Args:
            function: `function(generative_trace, inference_trace)`.
            num_draws: Number of draws.
            share_inference: Whether q may run once for all draws.
        """
        ...

    def one_by_one(self, function: Callable[[Trace, Trace], T], num_draws: int) -> T:
        """Runs the networks once for each draw, and stacks the results along a new first axis.

        Args:
            function: `function(generative_trace, inference_trace)`, for one draw.
            num_draws: Number of draws.
        """
        ...

    def of_particles(self, function: Callable[[Trace, Trace], T], mover: ParticleMover) -> tuple[T, Tensor]:
        """Runs p once for each particle of the guide; returns the results stacked along a new first axis, and a scalar.

        Args:
            function: `function(generative_trace, inference_trace)`, for one particle.
            mover: Gives the particles their gradients. The scalar is its own.

        Raises:
            CompileError: The guide has no particles.
        """
        ...
