"""A number in an objective that may change during a fit: a Keras variable, so that a compiled loop sees the change."""

import keras


class Coefficient(keras.layers.Layer):
    """Holds a number that isn't trained.

    Args:
        value: The number.
        name: Its name.
    """

    def __init__(self, value: float, name: str):
        super().__init__(name=name)
        initializer = keras.initializers.Constant(value)
        self.value = self.add_weight(shape=(), initializer=initializer, name=name, trainable=False, autocast=False)
