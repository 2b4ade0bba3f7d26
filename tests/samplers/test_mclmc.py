"""Microcanonical Langevin dynamics: how its step size is found."""

import keras
import pytest

import kprob
from kprob.backend import compile_function, random
from kprob.samplers.kernels import isokinetic
from kprob.samplers.mclmc import StepTuning, _start_tuning, _tune

ops = keras.ops


def test_a_step_size_that_had_to_be_tiny_once_grows_again():
    # The energy's error is that of a density whose right step size is 1, once the chain is where steps don't end.
    def program():
        def once(i, *tuning):
            tuning = StepTuning(*tuning)
            return i + 1, *_tune(tuning, 0.1 * tuning.step_size**3, i < 25, 0.01)

        return ops.while_loop(lambda i, *_: i < 1000, once, (ops.zeros((), "int32"), *_start_tuning(4, "float32")))

    assert float(compile_function(program, jit=True)()[1]) == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize("size", [1, 3])
def test_what_is_known_of_a_point_is_widened_and_narrowed(size):
    def target(z):
        return -0.25 * ops.sum(ops.square(z) * ops.square(z))

    z = ops.convert_to_tensor([0.5, -1.0, 2.0][:size], "float32")
    wide = isokinetic.widen(z, random.seed(1))
    begun = isokinetic.begin(wide, ops.zeros_like(wide), isokinetic.widened(target, size))
    log_density, (slope,) = kprob.backend.gradients(target, z)
    found = isokinetic.widen_known(wide, log_density, slope)
    assert float(found[0]) == pytest.approx(float(begun.log_density), rel=1e-5)
    assert ops.convert_to_numpy(found[1]) == pytest.approx(ops.convert_to_numpy(begun.slope), rel=1e-6)
    narrowed = isokinetic.narrow_known(begun, size)
    assert float(narrowed[0]) == pytest.approx(float(log_density), rel=1e-5)
    assert ops.convert_to_numpy(narrowed[1]) == pytest.approx(ops.convert_to_numpy(slope), rel=1e-6)
