"""Constraints of parameters: onto their sets, there and back, and never to the edge."""

import numpy as np
import pytest
from contracts import as_numpy
from keras import ops

from kprob import checks
from kprob.distributions import CONSTRAINTS, get_constraint

VALUES = {
    "real": [-3.0, 0.0, 4.5],
    "positive": [1e-4, 1.0, 80.0],
    "at_least_one": [1.001, 2.0, 80.0],
    "unit": [1e-4, 0.5, 0.999],
    "simplex": [0.1, 0.2, 0.7],
    "ordered": [-2.0, 0.5, 0.6],
    "unit_vector": [0.6, 0.0, -0.8],
    "lower_triangular": [[1.0, 0.0], [-2.0, 0.5]],
    "positive_definite": [[2.0, 0.5], [0.5, 1.0]],
}


def test_every_constraint_is_tested():
    assert set(VALUES) == set(CONSTRAINTS)


@pytest.mark.parametrize("name", VALUES)
def test_there_and_back(name):
    constraint, value = get_constraint(name), ops.convert_to_tensor(VALUES[name], dtype="float32")
    free = constraint.inverse(value)
    assert tuple(free.shape) == constraint.size(tuple(value.shape))
    np.testing.assert_allclose(as_numpy(constraint.forward(free)), as_numpy(value), rtol=1e-4, atol=1e-5)


IN_SET = {
    "real": lambda y: np.isfinite(y).all(),
    "positive": lambda y: (y >= 1e-5).all(),
    "at_least_one": lambda y: (y >= 1.0).all(),
    "unit": lambda y: ((y > 0) & (y < 1)).all(),
    "simplex": lambda y: np.allclose(y.sum(-1), 1.0, atol=1e-6) and (y >= 0).all(),
    "ordered": lambda y: (np.diff(y) > 0).all(),
    "unit_vector": lambda y: np.allclose((y**2).sum(-1), 1.0, atol=1e-5),
    "lower_triangular": lambda y: (np.triu(y, 1) == 0).all() and (np.diagonal(y, axis1=-2, axis2=-1) >= 1e-5).all(),
    "positive_definite": lambda y: (np.linalg.eigvalsh(y) > 0).all(),
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_any_numbers_land_in_the_set(name, scale):
    constraint = get_constraint(name)
    size = constraint.size(np.shape(VALUES[name]))
    free = np.random.default_rng(0).normal(size=(50, *size)).astype("float32") * scale
    value = as_numpy(constraint.forward(ops.convert_to_tensor(free)))
    if name == "positive_definite" and scale > 1:  # in float32 an eigenvalue may be lost below the largest
        value = value[np.linalg.cond(value) < 1e6]
    assert IN_SET[name](value)


@pytest.mark.parametrize("name", ["positive", "unit"])
def test_extreme_numbers_stay_off_the_edge(name):
    value = as_numpy(get_constraint(name).forward(ops.convert_to_tensor([-200.0, 200.0])))
    assert value[0] > 0.0 and np.isfinite(value).all()
    assert name != "unit" or value[1] < 1.0


def test_param_takes_every_constraint():
    assert checks.CONSTRAINTS == tuple(CONSTRAINTS)
