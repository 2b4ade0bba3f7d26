"""What an objective learns or is given while a model is fitted (baselines, a coefficient), as part of the model."""

import keras


class ObjectiveState(keras.layers.Layer):
    """Holds the layers of the objective that a model is compiled with, so that they are trained and saved with it."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.held: list[keras.layers.Layer] = []

    def hold(self, layers: list[keras.layers.Layer]) -> None:
        """Puts layers in place of those held before."""
        self.held.clear()
        self.held.extend(layers)


def hold_layers(model: keras.Model, layers: list[keras.layers.Layer]) -> None:
    """Makes the layers of an objective part of a model, in place of those of an earlier objective.

    Args:
        model: The model.
        layers: The layers, none for most objectives.
    """
    state = model.__dict__.get("objective_state")
    if state is None and layers:
        # A model that is built takes no further layers, Keras says; these are none of its networks.
        model._tracker.unlock()
        model.objective_state = ObjectiveState()
    if state is not None or layers:
        model.objective_state.hold(layers)
