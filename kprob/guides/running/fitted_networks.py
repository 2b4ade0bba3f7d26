"""What a guide sees, at the end of a fit, of the two networks that it was fitted in."""

from typing import Protocol

from kprob.effects import Trace
from kprob.types import Seed


class FittedNetworks(Protocol):
    """The generative network and the guide, as the engine runs them."""

    @property
    def run_eagerly(self) -> bool:
        """Whether Python decides what runs, so that nothing is to be compiled."""
        ...

    def pair(self, batch: dict, seed: Seed) -> tuple[Trace, Trace]:
        """Runs q, then p with q's values and the data, and returns the traces of p and q."""
        ...
