"""What every way to infer works with."""

from dataclasses import dataclass
from typing import Any

import keras

from kprob.engine import Networks
from kprob.samplers.chains.draws import Draws
from kprob.saving import OwnVariables
from kprob.training.freezing import Freezing
from kprob.training.metrics import Monitors


@dataclass(slots=True)
class Context:
    """What every way to infer works with; it outlives any of them, since a model may be compiled anew.

    Attributes:
        model: The Keras model.
        networks: Its networks.
        monitors: Its metrics.
        freezing: Which of its parts aren't trained.
        draws: What a sampler has drawn so far.
        reads: The variables that the generative network reads, where that has been found out.
        constants: Fingerprints of what the model was made with, by name, where they have been made.
        num_changes: How often the networks had changed when the last run of a sampler began.
    """

    model: keras.Model
    networks: Networks
    monitors: Monitors
    freezing: Freezing
    draws: Draws | None = None
    reads: tuple[keras.Variable, ...] | None = None
    constants: dict[str, str] | None = None

    def stored(self) -> tuple[bytes | None, dict[str, str]]:
        """Returns what is saved beside Keras's weights: the draws, and which rows weights belong to."""
        return None if self.draws is None else self.draws.to_bytes(), self.networks.fitted_rows

    def restore(self, own: OwnVariables) -> dict[str, Any]:
        """Takes what was saved beside Keras's weights, and returns what Keras stored."""
        self.draws = None if own.draws is None else Draws.from_bytes(own.draws)
        self.networks.fitted_rows, self.networks.weights_checked = own.rows, False
        return own.variables

    num_changes: int = 0
