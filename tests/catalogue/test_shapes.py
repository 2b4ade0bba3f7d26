"""Shapes and plates that don't fit, and some that do."""

import keras
import numpy as np
import pytest
from programs import Catalogue, LayerRegression, X, Y, assert_error, fit, fit_networks, global_mean, regression

import kprob
from kprob import layers, tfd

ops = keras.ops
programs = Catalogue()
DATA = {"features": X, "y": Y}


@programs.wrong("site `y` from the data", "shape (20, 1)", "(20,): plates `data` (20)", "y[:, 0]", "`event_shape=1`")
def a_column_for_a_vector():
    fit_networks(regression, {"features": X, "y": Y[:, None]})


@programs.wrong("site `y` from the data", "shape (20, 1)", "(20,): plates `data` (20)", "y[:, 0]")
def a_column_for_a_layer():
    fit(LayerRegression(), {"features": X, "y": Y[:, None]})


@programs.wrong("parameters of site `y`", "batch shape (20, 1)", "keras.ops.squeeze(x, -1)", "`data` (20)")
def a_mean_of_one_column():
    def generative(features):
        w = kprob.sample("w", tfd.Independent(tfd.Normal(ops.zeros((3, 1)), 1.0), 2))
        with kprob.plate("data"):
            kprob.sample("y", tfd.Normal(ops.matmul(features, w), 1.0))

    fit_networks(generative, DATA)


@programs.wrong("site `y` from the data", "shape (20,)", "(20, 1)", "event shape (1,)", "y[..., None]")
def a_vector_for_a_layer_whose_mean_is_a_column():
    class Model(kprob.ProbabilisticModel):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.w = layers.Normal((3, 1), loc=0.0, scale=1.0)
            self.y = layers.Normal(scale=1.0)

        def generative(self, features):
            w = self.w()
            with kprob.plate("data"):
                self.y(loc=ops.matmul(features, w))

    fit(Model(), DATA)


@programs.wrong("site `y` from the data", "shape (20, 3)", "(20,)", "reshape the value")
def data_of_a_wrong_rank():
    fit_networks(regression, {"features": X, "y": X})


@programs.wrong("`y` is one number", "inside the data plate", "one value per row", '"y": [value]')
def one_number_for_rows():
    fit_networks(regression, {"features": X, "y": 3.0})


@programs.wrong("site `sensor` from the data", "shape (20,)", "no plate", 'kprob.plate("data")')
def rows_for_a_site_outside_the_plate():
    fit_networks(lambda: kprob.sample("sensor", tfd.Normal(0.0, 1.0)), {"sensor": Y})


@programs.wrong("parameters of site `effects`", "`schools` (4)", "batch shape (3,)", "broadcasts to (4,)")
def parameters_that_do_not_fit_a_plate():
    def generative():
        with kprob.plate("schools", 4):
            kprob.sample("effects", tfd.Normal(ops.zeros(3), 1.0))

    fit_networks(generative, {})


@programs.wrong("parameters of site `w`", "no plate", "batch shape (3,)", "tfd.Independent(distribution, 1)")
def a_vector_without_plate_or_event():
    fit_networks(lambda: kprob.sample("w", tfd.Normal(ops.zeros(3), 1.0)), {})


@programs.wrong("parameters of site `y`", "batch shape (20,)", "an argument of the network", "split into batches")
def rows_that_the_network_closes_over():
    def generative():
        w = kprob.sample("w", tfd.Independent(tfd.Normal(ops.zeros(3), 1.0), 1))
        with kprob.plate("data"):
            kprob.sample("y", tfd.Normal(ops.matmul(X, w), 1.0))

    fit_networks(generative, {"y": Y})


@programs.wrong("site `y` from `observed=`", "shape (20, 1)", "(20,)", "y[:, 0]")
def a_column_observed_inside_the_network():
    def generative(features):
        del features
        with kprob.plate("data"):
            kprob.sample("y", tfd.Normal(0.0, 1.0), observed=Y[:, None])

    fit_networks(generative, {"features": X})


@programs.wrong("site `x` from the data", "(10,): plates `data` (10)", "give 10 values", "leave its length out")
def a_data_plate_with_a_length_of_its_own():
    def generative():
        with kprob.plate("data", 10):
            kprob.sample("x", tfd.Normal(0.0, 1.0))

    fit_networks(generative, {"x": Y})


@programs.wrong("data plate `data`", "opened inside `schools`", "outermost", "axis 0")
def a_data_plate_inside_another():
    def generative():
        with kprob.plate("schools", 4), kprob.plate("data"):
            kprob.sample("x", tfd.Normal(0.0, 1.0))

    fit_networks(generative, {"x": Y})


@programs.wrong("Plate `schools` is opened inside itself", "`schools` (4)")
def a_plate_inside_itself():
    def generative():
        with kprob.plate("schools", 4), kprob.plate("schools", 4):
            kprob.sample("x", tfd.Normal(0.0, 1.0))

    fit_networks(generative, {})


@programs.wrong("Plate `schools`", "another length at site `b`", "5, after 4", "a name of its own")
def a_plate_with_two_lengths():
    def generative():
        with kprob.plate("schools", 4):
            kprob.sample("a", tfd.Normal(0.0, 1.0))
        with kprob.plate("schools", 5):
            kprob.sample("b", tfd.Normal(0.0, 1.0))

    fit_networks(generative, {})


@programs.wrong("Plate `data`", "another length at site `b`", "3, after as many as the data")
def a_plate_named_like_the_data_plate():
    def generative():
        with kprob.plate("data"):
            kprob.sample("a", tfd.Normal(0.0, 1.0))
        with kprob.plate("data", 3):
            kprob.sample("b", tfd.Normal(0.0, 1.0))

    fit_networks(generative, {"a": Y})


@programs.wrong_for_each([0, -2, 3.0, "8", True], "Plate `schools` needs a length", "positive int")
def a_plate_whose_length_is(size):
    with kprob.plate("schools", size):
        pass


@programs.wrong("first argument of `plate` is its name", "8 of type int", 'kprob.plate("schools", 8)')
def a_plate_without_a_name():
    with kprob.plate(8):
        pass


@programs.wrong("log-weight of factor `penalty`", "plates: `data`", "shape (3,)", "sum it over")
def a_factor_that_does_not_fit():
    def generative():
        with kprob.plate("data"):
            x = kprob.sample("x", tfd.Normal(0.0, 1.0))
            kprob.factor("penalty", ops.zeros(3) * x[0])

    fit_networks(generative, {"x": Y})


@programs.wrong("Parameter `loc`", "random variable `a`", "shape (4,)", "(3,)", "event shape")
def a_parameter_that_does_not_fit_the_event_shape():
    layers.Normal(3, name="a")(loc=ops.zeros(4))


@programs.wrong("don't broadcast to a common shape", "(3,), (4,)", "aligned right")
def parameters_that_do_not_fit_each_other():
    layers.Normal()(loc=np.zeros(3), scale=np.ones(4))


@programs.wrong_for_each([0, -1, 2.0, "z", True, (2, 0), (2, 1.5)], "event shape", "first argument", "positive int")
def an_event_shape_of(event_shape):
    layers.Normal(event_shape)


@programs.wrong("site `x` from substitute", "shape (2,)", "Expected: ()")
def a_value_to_substitute_of_a_wrong_shape():
    kprob.handlers.substitute(lambda: kprob.sample("x", tfd.Normal(0.0, 1.0)), {"x": [1.0, 2.0]})()


@programs.right
def columns_by_event_shape():
    class Model(kprob.ProbabilisticModel):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.w = layers.Normal((3, 1), loc=0.0, scale=1.0)
            self.y = layers.Normal(1, scale=1.0)

        def generative(self, features):
            w = self.w()
            with kprob.plate("data"):
                self.y(loc=ops.matmul(features, w))

    fit(Model(), {"features": X, "y": Y[:, None]})


@programs.right
def layers_and_functions_with_vectors():
    fit(LayerRegression(), DATA)
    fit_networks(regression, DATA)


@programs.right
def one_row():
    fit_networks(global_mean, {"x": [1.0]})


@programs.right
def the_same_plate_again():
    def generative():
        with kprob.plate("schools", 4):
            a = kprob.sample("a", tfd.Normal(0.0, 1.0))
        with kprob.plate("schools", 4):
            kprob.sample("b", tfd.Normal(a, 1.0))

    fit_networks(generative, {"b": np.zeros(4)})


@programs.right
def an_axis_of_length_one_broadcasts_to_a_plate():
    def generative(features):
        with kprob.plate("data"), kprob.plate("pixels", 4):
            kprob.sample("x", tfd.Normal(features[:, :1], ops.ones(4)))

    fit_networks(generative, {"features": X, "x": np.zeros((20, 4))})


@pytest.mark.parametrize("program, words, error", programs.wrong_ones)
def test_wrong(program, words, error):
    assert_error(program, words, error)


@pytest.mark.parametrize("program", programs.right_ones)
def test_right(program):
    program()
