"""Tuning while warming up, on moves whose acceptance is known."""

import keras
import numpy as np
import pytest

from kprob.backend import compile_function, random
from kprob.samplers import Info
from kprob.samplers.adaptation import mass_matrix
from kprob.samplers.adaptation.tuned_kernel import TuningOptions, tuned_kernel

ops = keras.ops
WARMUP, DRAWS, WANTED = 1000, 200, 0.8


def accept_rates(jump):
    """Acceptance after a warm-up in which the chain goes elsewhere, `jump` far away, in the midst of the last window."""

    def move(seed, position, known, scale, step_size):
        (iteration,) = known
        # A step of one in position's own units is accepted as often as wanted; longer ones less.
        rate = ops.exp(np.log(WANTED) * step_size * scale[0])
        place = random.normal((2,), seed) + ops.where(iteration < 700, 0.0, jump)
        zero = ops.zeros_like(rate)
        return place, (iteration + 1,), Info(zero, rate, step_size, zero, zero, zero, zero)

    kernel = tuned_kernel(move, TuningOptions(WARMUP, 0.1, WANTED), lambda position: (ops.zeros((), "int32"),))

    def program():
        def once(i, state, rates):
            state, info = kernel.step(random.fold_in(random.seed(1), i), state)
            return i + 1, state, ops.slice_update(rates, (i,), info.accept_rate[None])

        start = ops.zeros((), "int32"), kernel.init(ops.zeros((2,))), ops.zeros((WARMUP + DRAWS,))
        return ops.while_loop(lambda i, *_: i < WARMUP + DRAWS, once, start)[2]

    return ops.convert_to_numpy(compile_function(program, jit=True)())


@pytest.mark.parametrize("jump", [0.0, 200.0])
def test_acceptance_is_as_wanted_even_where_the_chain_went_elsewhere_late(jump):
    assert accept_rates(jump)[WARMUP:].mean() == pytest.approx(WANTED, abs=0.06)


def test_how_much_scales_differ():
    factor = np.array([[2.0, 0.0], [3.0, 4.0]], "float32")
    one, other = ops.convert_to_tensor([2.0, 5.0]), ops.convert_to_tensor([2.0, 10.0])
    assert float(mass_matrix.change(one, other)) == pytest.approx(np.log(2.0), rel=1e-5)
    assert float(mass_matrix.change(other, one)) == pytest.approx(np.log(2.0), rel=1e-5)
    assert float(mass_matrix.change(ops.convert_to_tensor(np.diag([2.0, 10.0]).astype("float32")), factor)) == (
        pytest.approx(np.log(2.0), rel=1e-5)
    )
