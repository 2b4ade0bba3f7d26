"""Arithmetic and conversions that many parts share."""

from typing import NamedTuple

import keras
import numpy as np
import pytest
from keras import ops

from kprob.backend import gradients
from kprob.numerics import log_mean_exp, log_sum_exp, select, to_numpy


class Pair(NamedTuple):
    first: object
    second: object


def test_to_numpy_keeps_the_structure_and_gives_arrays_of_its_own():
    tensor = ops.convert_to_tensor([1.0, 2.0])
    found = to_numpy({"a": Pair(tensor, 3), "b": [tensor]})
    assert isinstance(found["a"], Pair) and found["a"].second == 3
    found["b"][0][0] = 7.0
    assert to_numpy(tensor).tolist() == [1.0, 2.0] == found["a"].first.tolist()
    assert to_numpy(keras.Variable([4.0])).tolist() == [4.0]


def test_select_chooses_in_every_part_of_a_structure():
    one, other = Pair(ops.ones((2,)), {"b": ops.zeros(())}), Pair(ops.zeros((2,)), {"b": ops.ones(())})
    found = to_numpy(select(ops.convert_to_tensor(True), one, other))
    assert found.first.tolist() == [1.0, 1.0] and found.second["b"] == 0.0
    assert to_numpy(select(ops.convert_to_tensor(False), one, other)).first.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("convert", [np.asarray, ops.convert_to_tensor], ids=["array", "tensor"])
def test_log_mean_exp_does_not_overflow(convert):
    values = np.array([[1000.0, -1000.0, -np.inf], [1001.0, -1001.0, -np.inf]], "float32")
    found = log_mean_exp(convert(values))
    expected = np.log((1 + np.exp([1.0, -1.0])) / 2) + [1000.0, -1000.0]
    assert to_numpy(found)[:2] == pytest.approx(expected, rel=1e-6)
    assert np.isneginf(to_numpy(found)[2])


def test_log_mean_exp_of_arrays_has_their_precision():
    assert log_mean_exp(np.array([1e-12, 3e-12])) == pytest.approx(2e-12, rel=1e-3)


def test_log_sum_exp_has_no_gradient_where_nothing_is_possible():
    values = ops.convert_to_tensor(np.array([[-np.inf, 0.0], [-np.inf, 0.0]], "float32"))
    found, (gradient,) = gradients(lambda v: ops.sum(ops.where(ops.isfinite(v[0]), log_sum_exp(v, 0), 0.0)), values)
    assert float(found) == pytest.approx(np.log(2.0))
    assert to_numpy(gradient).tolist() == [[0.0, 0.5], [0.0, 0.5]]
    assert np.isneginf(to_numpy(log_sum_exp(values, 0))[0])
