"""What an objective that moves particles gets of a guide."""

from typing import NamedTuple

from kprob.errors import CompileError, explain
from kprob.objectives.estimation.draw_runs import ParticleMover
from kprob.types import Tensor


class MovedParticles(NamedTuple):
    """The particles of a guide, with the gradients that an objective gives them.

    Attributes:
        number: Number of particles.
        values: All particles' values by latent, shape (number, ...).
        correction: A scalar that belongs to the objective.
    """

    number: int
    values: dict[str, Tensor]
    correction: Tensor


def no_particles(mover: ParticleMover, model_name: str, inference: str) -> CompileError:
    """Returns the error of an objective that moves particles where there are none.

    Args:
        mover: The objective.
        model_name: Name of the model.
        inference: Kind of the inference network.
    """
    return CompileError(
        explain(
            f"{type(mover).__name__} moves particles, and {model_name} has none.",
            received=f"{inference} as the inference network",
            expected="kprob.guides.Particles",
            fix="make the model with inference=kprob.guides.Particles(50)",
        )
    )
