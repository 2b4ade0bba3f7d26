"""kprob's own bijectors: there and back, and Jacobians that make densities integrate to one."""

import numpy as np
import pytest
from contracts import as_numpy
from keras import ops
from scipy import special

from kprob import backend, tfd
from kprob.distributions.supports.bijectors import Interval, Stereographic

BOUNDS = [(-1.0, 2.0), (0.5, np.inf), (-np.inf, 3.0), (-np.inf, np.inf)]


@pytest.mark.parametrize(("low", "high"), BOUNDS)
def test_interval(low, high):
    bijector = Interval(np.float32(low), np.float32(high))
    x = ops.convert_to_tensor(np.linspace(-5, 5, 11), dtype="float32")
    y = bijector.forward(x)
    assert np.all(as_numpy(y) > low) and np.all(as_numpy(y) < high)
    assert np.all(np.diff(as_numpy(y)) > 0)
    np.testing.assert_allclose(as_numpy(bijector.inverse(y * 1.0)), as_numpy(x), rtol=1e-3, atol=1e-4)
    _, (slope,) = backend.gradients(lambda x: ops.sum(bijector.forward(x + 0.0)), x)  # a new tensor: TFP remembers x
    jacobian = as_numpy(bijector.forward_log_det_jacobian(x, event_ndims=0))
    np.testing.assert_allclose(jacobian, np.log(as_numpy(slope)), rtol=1e-4, atol=1e-5)


def test_bounds_that_differ_within_a_batch():
    low, high = np.array([b[0] for b in BOUNDS], "float32"), np.array([b[1] for b in BOUNDS], "float32")
    x = ops.full((4,), 0.3)
    together = as_numpy(Interval(low, high).forward(x))
    alone = [float(Interval(a, b).forward(ops.convert_to_tensor(0.3))) for a, b in zip(low, high, strict=True)]
    np.testing.assert_allclose(together, alone, rtol=1e-6)


def test_gradients_to_the_bounds_are_finite_where_one_is_infinite():
    def total(low, high):
        bijector = Interval(low, high)
        x = ops.convert_to_tensor([0.3, -2.0])
        return ops.sum(bijector.forward(x)) + ops.sum(bijector.forward_log_det_jacobian(x, event_ndims=0))

    _, found = backend.gradients(total, ops.convert_to_tensor(1.0), ops.convert_to_tensor(np.float32(np.inf)))
    assert float(found[0]) == 2.0 and float(found[1]) == 0.0


@pytest.mark.parametrize("dimension", [2, 3, 5])
def test_stereographic_projection_keeps_the_sphere_s_area(dimension):
    bijector = Stereographic()
    y = ops.convert_to_tensor(np.random.default_rng(1).normal(size=(7, dimension - 1)), dtype="float32")
    x = bijector.forward(y)
    np.testing.assert_allclose(np.sum(as_numpy(x) ** 2, -1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(as_numpy(bijector.inverse(x * 1.0)), as_numpy(y), rtol=1e-3, atol=1e-4)
    assert tuple(bijector.forward_event_shape((dimension - 1,))) == (dimension,)
    assert tuple(bijector.inverse_event_shape((dimension,))) == (dimension - 1,)
    # The area of the sphere: the integral of the Jacobian, in polar coordinates of the plane.
    radius = np.linspace(0, 2000, 2_000_001)[1:]
    rows = np.zeros((4, dimension - 1), "float32")
    rows[:, 0] = [0.5, 1.0, 2.0, 7.0]
    formula = (dimension - 1) * np.log(2 / (1 + rows[:, 0] ** 2))
    jacobian = as_numpy(bijector.forward_log_det_jacobian(ops.convert_to_tensor(rows), event_ndims=1))
    np.testing.assert_allclose(jacobian, formula, rtol=1e-5)
    plane = 2 * np.pi ** ((dimension - 1) / 2) / special.gamma((dimension - 1) / 2)
    integral = plane * np.trapezoid(radius ** (dimension - 2) * (2 / (1 + radius**2)) ** (dimension - 1), radius)
    area = 2 * np.pi ** (dimension / 2) / special.gamma(dimension / 2)
    np.testing.assert_allclose(integral, area, rtol=2e-3)


def test_a_transformed_distribution_has_them_as_bijectors():
    distribution = tfd.TransformedDistribution(tfd.Normal(np.zeros(3, "float32"), 1.0), Interval(0.0, 2.0))
    assert tuple(distribution.batch_shape) == (3,)
    # At x = 1 the base value is 0, and dx/dbase = 2 / 4.
    found = as_numpy(distribution.log_prob(ops.ones((3,))))
    np.testing.assert_allclose(found, -0.5 * np.log(2 * np.pi) + np.log(2), rtol=1e-5)
