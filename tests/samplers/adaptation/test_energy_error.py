"""The step size of microcanonical Langevin dynamics."""

import keras
import pytest

from kprob.backend import compile_function
from kprob.samplers.adaptation import energy_error

ops = keras.ops


def test_a_step_size_that_had_to_be_tiny_once_grows_again():
    # The energy's error is that of a density whose right step size is 1, once the chain is where steps don't end.
    def program():
        def once(i, *tuning):
            tuning = energy_error.EnergyErrorTuning(*tuning)
            return i + 1, *energy_error.update(tuning, 0.1 * tuning.step_size**3, i < 25, 0.01)

        return ops.while_loop(lambda i, *_: i < 1000, once, (ops.zeros((), "int32"), *energy_error.start(4, "float32")))

    assert float(compile_function(program, jit=True)()[1]) == pytest.approx(1.0, rel=0.05)
