"""The one rule of shapes: a value has the shape of its plates, outermost first, and then that of one event."""

import keras
import numpy as np
import pytest
from scipy import stats

import kprob
from kprob import handlers, layers, tfd
from kprob.errors import SiteError

ops = keras.ops


def draw(distribution, *plates, rows=None):
    """The site of a distribution in plates, of lengths given by name (None for the data plate)."""

    def network():
        def inside(left):
            if not left:
                return kprob.sample("x", distribution)
            with kprob.plate(*left[0]):
                return inside(left[1:])

        return inside(plates)

    network = handlers.seed(network, 1)
    return handlers.trace(network if rows is None else handlers.rows(network, rows)).get_trace()["x"]


CASES = [
    (tfd.Normal(0.0, 1.0), [], ()),
    (tfd.Normal(0.0, 1.0), [("a", 3)], (3,)),
    (tfd.Normal(0.0, 1.0), [("a", 3), ("b", 2)], (3, 2)),
    (tfd.Normal(ops.zeros(2), 1.0), [("a", 3), ("b", 2)], (3, 2)),
    (tfd.Normal(ops.zeros((3, 1)), 1.0), [("a", 3), ("b", 2)], (3, 2)),
    (tfd.Normal(ops.zeros((3, 1)), ops.ones(2)), [("a", 3), ("b", 2)], (3, 2)),
    (tfd.Normal(ops.zeros((1, 1)), 1.0), [("a", 3), ("b", 2)], (3, 2)),
    (tfd.MultivariateNormalDiag(ops.zeros(4), ops.ones(4)), [("a", 3)], (3, 4)),
    (tfd.MultivariateNormalDiag(ops.zeros((3, 4)), ops.ones(4)), [("a", 3)], (3, 4)),
    (tfd.Independent(tfd.Normal(ops.zeros((3, 4)), 1.0), 1), [("a", 3)], (3, 4)),
    (tfd.Independent(tfd.Normal(ops.zeros((2, 4)), 1.0), 2), [("a", 3)], (3, 2, 4)),
    (tfd.Normal(0.0, 1.0), [("data",), ("b", 2)], (5, 2)),
    (tfd.Normal(ops.zeros((5, 1)), 1.0), [("data",), ("b", 2)], (5, 2)),
    (tfd.Categorical(logits=ops.zeros(7)), [("a", 3)], (3,)),
]


@pytest.mark.parametrize("distribution, plates, shape", CASES, ids=range(len(CASES)))
def test_a_value_has_the_shape_of_plates_and_event(distribution, plates, shape):
    site = draw(distribution, *plates, rows=5)
    assert site.value.shape == shape
    assert site.log_prob().shape == shape[: len(plates)]
    if site.value.dtype == ops.zeros(()).dtype:
        assert len(np.unique(np.array(site.value))) == np.prod(shape), "each element has a draw of its own"


def test_the_log_density_is_that_of_each_element():
    loc = np.array([0.0, 10.0, 20.0], "float32")
    site = draw(tfd.Normal(ops.convert_to_tensor(loc)[:, None], 2.0), ("a", 3), ("b", 4))
    np.testing.assert_allclose(site.log_prob(), stats.norm(loc[:, None], 2.0).logpdf(np.array(site.value)), rtol=1e-4)
    assert (abs(np.array(site.value) - loc[:, None]) < 12).all()


@pytest.mark.parametrize(
    "distribution, plates",
    [
        (tfd.Normal(ops.zeros(4), 1.0), []),
        (tfd.Normal(ops.zeros(4), 1.0), [("a", 3)]),
        (tfd.Normal(ops.zeros((3, 2)), 1.0), [("a", 2), ("b", 3)]),
        (tfd.Normal(ops.zeros((1, 3)), 1.0), [("a", 3)]),
    ],
    ids=["no plate", "another length", "the other order", "an axis too many"],
)
def test_a_batch_that_does_not_fit_is_an_error(distribution, plates):
    with pytest.raises(SiteError, match="parameters of site `x` don't fit its plates"):
        draw(distribution, *plates)


def test_the_data_plate_is_one_long_where_nobody_says():
    with kprob.plate("data") as plate:
        x = kprob.sample("x", tfd.Normal(0.0, 1.0))
    assert x.shape == (1,) and plate.size == 1
    with kprob.datamodel(4):
        assert kprob.sample("x", tfd.Normal(0.0, 1.0)).shape == (4,)


def test_plates_open_one_after_the_other():
    def network():
        with kprob.plate("a", 3):
            x = kprob.sample("x", tfd.Normal(0.0, 1.0))
        with kprob.plate("b", 2):
            y = kprob.sample("y", tfd.Normal(ops.sum(x), 1.0))
        return kprob.sample("z", tfd.Normal(ops.sum(y), 1.0))

    trace = handlers.trace(network).get_trace()
    assert [tuple(site.value.shape) for site in trace.sites.values()] == [(3,), (2,), ()]
    assert trace.log_prob().shape == ()


def test_a_factor_broadcasts_to_its_plates():
    def network():
        with kprob.plate("a", 3):
            kprob.factor("penalty", -2.0)

    trace = handlers.trace(network).get_trace()
    assert trace["penalty"].value.shape == (3,) and float(trace.log_prob()) == -6.0


@pytest.mark.parametrize(
    "layer, parameters, shape",
    [
        (lambda: layers.Normal(4), {}, (3, 4)),
        (lambda: layers.Normal((2, 4)), {}, (3, 2, 4)),
        (lambda: layers.Normal(4), {"loc": np.zeros((3, 1), "float32")}, (3, 4)),
        (lambda: layers.Normal(4), {"loc": np.zeros((3, 4), "float32")}, (3, 4)),
        (lambda: layers.Normal(4), {"loc": np.zeros(4, "float32")}, (3, 4)),
        (lambda: layers.Normal(), {"loc": np.zeros((3, 4), "float32")}, (3, 4)),
        (lambda: layers.Normal(), {"loc": np.zeros(3, "float32")}, (3,)),
        (lambda: layers.Normal(), {}, (3,)),
        (lambda: layers.MultivariateNormalDiag(4), {"scale_diag": np.ones(4, "float32")}, (3, 4)),
    ],
)
def test_layers_follow_the_same_rule(layer, parameters, shape):
    variable = layer()
    with kprob.plate("a", 3):
        assert variable(**parameters).shape == shape


def test_rows_of_the_data_plate_are_weighted_and_scaled():
    def network():
        mu = kprob.sample("mu", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"), kprob.plate("pixels", 2):
            kprob.sample("x", tfd.Normal(mu, 1.0))

    x = np.arange(6.0).reshape(3, 2).astype("float32")
    pinned = handlers.condition(network, {"mu": 0.5, "x": x})
    trace = handlers.trace(handlers.rows(pinned, 3, scale=10.0, weights=np.array([1.0, 0.0, 2.0]))).get_trace()
    rows = stats.norm(0.5, 1.0).logpdf(x).sum(1) * [1.0, 0.0, 2.0]
    np.testing.assert_allclose(trace.log_prob(), stats.norm().logpdf(0.5) + 10.0 * rows.sum(), rtol=1e-6)
    np.testing.assert_allclose(trace.log_prob_rows(["x"]), rows, rtol=1e-6)
