"""A program that XLA can't compile runs without it."""

import keras
import pytest

from kprob.backend import compile_with_fallback, training


def program(error, calls):
    def make(jit):
        def run(value):
            calls.append(jit)
            if jit:
                raise error
            return value

        return run

    return make


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX compiles all that it has")
def test_without_xla_from_the_first_failure_on():
    calls = []
    error = training.COMPILER_ERRORS[0](None, None, "no such operation")
    run = compile_with_fallback(program(error, calls))
    assert run(3) == run(3) == 3 and calls == [True, False, False]


def test_other_errors_come_through():
    run = compile_with_fallback(program(ZeroDivisionError(), []))
    with pytest.raises(ZeroDivisionError):
        run(3)


def test_without_xla_where_nobody_wants_it():
    calls = []
    assert compile_with_fallback(program(None, calls), jit=False)(3) == 3 and calls == [False]
