"""Running means of what is logged, and the first site that was not finite."""

import keras

NAMES = ("elbo", "log_likelihood", "kl")


class FirstNonFinite(keras.metrics.Metric):
    """Remembers the number of the first term that was NaN or infinite, and nothing after it; -1 while there is none."""

    def __init__(self, name: str = "first_non_finite", **kwargs):
        super().__init__(name=name, dtype="int32", **kwargs)
        self.first = self.add_variable(shape=(), initializer=_minus_one, dtype="int32", name="first")

    def update_state(self, number, sample_weight=None):
        first = keras.ops.convert_to_tensor(self.first)
        self.first.assign(keras.ops.where(first < 0, number, first))

    def result(self):
        return keras.ops.convert_to_tensor(self.first)

    def reset_state(self):
        # An epoch's start doesn't forget what came before it: `clear` does.
        return None

    def clear(self) -> None:
        """Forgets everything."""
        self.first.assign(-1)


def _minus_one(shape, dtype=None):
    return keras.ops.full(shape, -1, dtype=dtype)
