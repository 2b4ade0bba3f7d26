"""The look-ups of a user's function, and what an error of the backend is about."""

import keras
import numpy as np
import pytest

import kprob
from kprob import tfd
from kprob.backend import failures, look_ups

ops = keras.ops


def bounds(function, index):
    """Smallest and largest index, and length, of each look-up."""
    found = look_ups(function)(ops.convert_to_tensor(index))
    assert all("of test_look_ups.py" in look_up.line for look_up in found)
    return [(look_up.smallest, look_up.largest, look_up.length) for look_up in found]


def test_rows_that_are_taken():
    assert bounds(lambda i: ops.take(ops.arange(4.0), i, axis=0), np.array([0, 3, 9])) == [(0, 9, 4)]
    assert bounds(lambda i: ops.take(ops.ones((2, 5)), i, axis=1), np.array([[1, 2], [0, 7]])) == [(0, 7, 5)]
    assert bounds(lambda i: ops.take(ops.arange(4.0), 2 * i - 5, axis=0), np.array([0, 3])) == [(-1, 1, 4)]


def test_one_element():
    assert bounds(lambda i: ops.arange(4.0)[i], np.array(6)) == [(6, 6, 4)]


def test_what_looks_up_nothing_and_what_libraries_look_up():
    assert bounds(lambda i: ops.cast(i, "float32") * 2.0, np.array([1, 2])) == []
    assert bounds(lambda i: tfd.Categorical(logits=ops.ones((2, 3))).log_prob(i), np.array([1, 2])) == []


def test_look_ups_before_others_and_anew_for_each_argument():
    def twice(i):
        return ops.take(ops.arange(3.0), ops.take(ops.convert_to_tensor([0, 2, 1]), i, axis=0), axis=0)

    find = look_ups(twice)
    for index in ([0, 1], [1, 2], [2, 2, 1]):
        lengths = [(f.smallest, f.largest, f.length) for f in find(ops.convert_to_tensor(index))]
        assert lengths[0] == (min(index), max(index), 3) and len(lengths) == 2


@pytest.mark.parametrize(
    "kind, wrong",
    [
        ("shapes", lambda: ops.matmul(ops.ones((3, 20)), ops.ones(3))),
        ("shapes", lambda: ops.ones(3) + ops.ones(4)),
        ("shapes", lambda: ops.reshape(ops.ones(3), (2, 2))),
        ("shapes", lambda: np.ones((3, 20)) @ np.ones(3)),
        ("shapes", lambda: keras.layers.Dense(2)(ops.ones(()))),
        ("types", lambda: ops.take(ops.ones(3), ops.ones(2), axis=0)),
        (None, lambda: {}["a"]),
        (None, lambda: int("a")),
    ],
)
def test_what_an_error_is_about(kind, wrong):
    with pytest.raises(Exception) as caught:  # noqa: PT011  (each backend has its own)
        wrong()
    assert failures.kind_of(caught.value) == kind
    if kind is not None:
        assert "\n" not in failures.text_of(caught.value)
        assert "test_look_ups.py, `" in failures.line_of(caught.value)


def test_what_the_user_raises_is_his():
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        raise ValueError("shapes must fit: incompatible shapes")
    assert failures.kind_of(caught.value) is None
    assert kprob.errors.KprobError is not type(caught.value)
