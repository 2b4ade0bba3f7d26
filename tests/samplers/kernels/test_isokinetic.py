"""Isokinetic dynamics: a second coordinate for what has only one."""

import keras
import pytest

from kprob.backend import gradients, random
from kprob.samplers.kernels import isokinetic

ops = keras.ops


@pytest.mark.parametrize("size", [1, 3])
def test_what_is_known_of_a_point_is_widened_and_narrowed(size):
    def target(z):
        return -0.25 * ops.sum(ops.square(z) * ops.square(z))

    z = ops.convert_to_tensor([0.5, -1.0, 2.0][:size], "float32")
    wide = isokinetic.widen(z, random.seed(1))
    begun = isokinetic.begin(wide, ops.zeros_like(wide), isokinetic.widened(target, size))
    log_density, (slope,) = gradients(target, z)
    found = isokinetic.widen_known(wide, log_density, slope)
    assert float(found[0]) == pytest.approx(float(begun.log_density), rel=1e-5)
    assert ops.convert_to_numpy(found[1]) == pytest.approx(ops.convert_to_numpy(begun.slope), rel=1e-6)
    narrowed = isokinetic.narrow_known(begun, size)
    assert float(narrowed[0]) == pytest.approx(float(log_density), rel=1e-5)
    assert ops.convert_to_numpy(narrowed[1]) == pytest.approx(ops.convert_to_numpy(slope), rel=1e-6)
