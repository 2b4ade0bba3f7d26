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
        num_changes: How often the networks had changed when the last run of a sampler began.
    """

    model: keras.Model
    networks: Networks
    monitors: Monitors
    freezing: Freezing
    draws: Draws | None = None
    num_changes: int = 0
