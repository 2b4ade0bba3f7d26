"""What every way to infer works with."""

from dataclasses import dataclass

import keras

from kprob.engine import Networks
from kprob.samplers.chains.draws import Draws
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
    """

    model: keras.Model
    networks: Networks
    monitors: Monitors
    freezing: Freezing
    draws: Draws | None = None
    reads: tuple[keras.Variable, ...] | None = None
    constants: dict[str, str] | None = None
