"""What a sum over discrete latents needs of a model's networks."""

from collections.abc import Mapping
from typing import Any, Protocol

from kprob.effects import Handler, Trace
from kprob.types import Seed


class GenerativeNetwork(Protocol):
    """Runs of the generative network (see `kprob.engine.Networks`)."""

    def variables(self) -> list:
        """Returns the Keras variables that the network reads."""

    def run_generative(
        self,
        batch: dict,
        seed: Seed,
        latents: Trace | None = None,
        num_draws: int | None = None,
        size: Any = None,
        given: Mapping | None = None,
        extra: Handler | None = None,
    ) -> Trace:
        """Runs the network on a batch.

        Args:
            batch: The data; its sites are observed.
            seed: A seed.
            latents: Trace of q whose values are used.
            num_draws: Draws that the run stands for.
            size: Rows of the data plate where the batch has none.
            given: Values of further sites, still latent.
            extra: One more handler, which sees what no value was given for.
        """
