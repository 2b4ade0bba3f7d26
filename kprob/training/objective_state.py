"""What an objective learns or is given while a model is fitted (baselines, a coefficient), as part of the model."""

from typing import Any

import keras

from kprob.backend import random
from kprob.data import batch_of
from kprob.engine import Networks
from kprob.engine.building import ones
from kprob.objectives import Objective


class ObjectiveState(keras.layers.Layer):
    """Holds the layers of the objective that a model is compiled with, so that they are trained and saved with it."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.held: list[keras.layers.Layer] = []

    def hold(self, layers: list[keras.layers.Layer]) -> None:
        """Puts layers in place of those held before."""
        self.held.clear()
        self.held.extend(layers)


def hold_layers(model: keras.Model, layers: list[keras.layers.Layer]) -> None:
    """Makes the layers of an objective part of a model, in place of those of an earlier objective.

    Args:
        model: The model, with an attribute `objective_state`.
        layers: The layers, none for most objectives.
    """
    if model.objective_state is None and layers:
        # A model that is built takes no further layers, Keras says; these are none of its networks.
        model._tracker.unlock()
        model.objective_state = ObjectiveState()
    if model.objective_state is not None:
        model.objective_state.hold(layers)


def build_objective(networks: Networks, objective: Objective, batch: dict | None = None) -> None:
    """Makes the variables of a built model's objective.

    Args:
        networks: The model's networks.
        objective: The objective.
        batch: A batch; rows of ones where there is none, since only shapes matter.
    """
    if not objective.layers:
        return
    if batch is None:
        spec = networks.require_spec()
        batch = batch_of(ones(spec.rows, spec.whole, spec.num_data), spec.num_data)
    objective.build(*networks.pair(batch, random.seed(0)))
