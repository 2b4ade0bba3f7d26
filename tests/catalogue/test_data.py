"""Data that doesn't fit a model, and data that does."""

import keras
import numpy as np
import pandas
import pytest
from programs import Catalogue, X, Y, assert_error, fit_networks, global_mean, local_latent, observe, regression

import kprob
from kprob import tfd

ops = keras.ops
programs = Catalogue()


def far(value, at, size=5000):
    """Ones, with another value far behind the first thousand rows."""
    values = np.ones(size, "float32")
    values[at] = value
    return values


@programs.wrong("`generative` of", "needs `features`", "data for `feature`, `y`", "Did you mean 'feature'?")
def a_misspelt_covariate():
    fit_networks(regression, {"feature": X, "y": Y})


@programs.wrong("doesn't know: `yy`", "Did you mean 'y'?", "covariates `features`", "sites `w`, `y`")
def a_misspelt_site():
    fit_networks(regression, {"features": X, "yy": Y})


@programs.wrong("doesn't know: `weight`", "take it out of the data")
def one_name_too_many():
    fit_networks(global_mean, pandas.DataFrame({"x": Y, "weight": Y}))


@programs.wrong("needs `features`", "data for `y`", 'add "features" to the data')
def a_missing_covariate():
    fit_networks(regression, {"y": Y})


@programs.wrong("nothing that the generative network", "data for `features`", "sites `w`, `y`", 'fit({"y": values})')
def nothing_observed():
    fit_networks(regression, {"features": X})


@programs.wrong("The data is empty", "of `mu`, `x`", 'fit({"x": values})')
def no_data():
    fit_networks(global_mean, {})


@programs.wrong("nothing that the generative network", "data for none", 'fit({"x": values})')
def no_data_for_a_data_plate():
    fit_networks(global_mean, None)


@programs.wrong("The data has no rows", "`x`: shape (0,)", "at least one row")
def empty_data():
    fit_networks(global_mean, {"x": []})


@programs.wrong("different numbers of rows", "`features`: 20, `y`: 10", "kprob.Whole(value)")
def different_lengths():
    fit_networks(regression, {"features": X, "y": Y[:10]})


@programs.wrong("`y` holds numbers that aren't finite", "2 NaN or infinite of 20, the first at index (3,)")
def not_a_number():
    fit_networks(regression, {"features": X, "y": np.where((Y == Y[3]) | (Y == Y[9]), np.nan, Y)})


@programs.wrong("`features` holds numbers that aren't finite", "the first at index (4, 1)")
def infinite_covariates():
    fit_networks(regression, {"features": np.where(X == X[4, 1], np.inf, X), "y": Y})


@programs.wrong_for_each(
    [["low", "high"] * 10, [None] * 20, [[1.0, 2.0], [1.0]] * 10, [{"a": 1}] * 20, [1j] * 20],
    "data for `y` is no array of numbers",
    "all rows of the same shape",
)
def data_made_of(values):
    fit_networks(regression, {"features": X, "y": values})


@programs.wrong("data for `x` is no array of numbers", "encode strings and dates")
def dates():
    fit_networks(global_mean, {"x": np.array(["2024-02-29", "2024-03-01"], "datetime64[D]")})


@programs.wrong("outside the support of its Poisson", "-1.0 at index (1,)", "1 of the 3", "choose another family")
def negative_counts():
    observe(lambda latent: tfd.Poisson(ops.exp(latent)), [2.0, -1.0, 0.0])


@programs.wrong("outside the support of its Poisson", "1.5 at index (0,)")
def counts_with_fractions():
    observe(lambda latent: tfd.Poisson(ops.exp(latent)), [1.5, 1.0, 0.0])


@programs.wrong("outside the support of its Bernoulli", "2 at index (1,)")
def a_coin_with_three_sides():
    observe(lambda latent: tfd.Bernoulli(logits=latent), [0, 2, 1])


@programs.wrong("`x` has values outside the support", "0.5 at index (1,)", "whole numbers", "pixels > 127")
def grey_pixels_for_a_coin():
    observe(lambda latent: tfd.Bernoulli(logits=latent), [0.0, 0.5, 1.0])


@programs.wrong("outside the support of its Categorical", "3 at index (2,)", "labels from 0")
def labels_from_one():
    observe(lambda latent: tfd.Categorical(logits=ops.stack([latent, 0.0, 0.0])), [1, 2, 3])


@programs.wrong("outside the support of its Categorical", "-1 at index (0,)")
def a_negative_label():
    observe(lambda latent: tfd.Categorical(logits=ops.stack([latent, 0.0, 0.0])), [-1, 2, 1])


@programs.wrong("outside the support of its Gamma", "0.0 at index (2,)")
def zero_waiting_time():
    observe(lambda latent: tfd.Gamma(ops.exp(latent), 1.0), [1.0, 2.0, 0.0])


@programs.wrong("outside the support of its Dirichlet", "at index (1,)")
def shares_that_do_not_sum_to_one():
    observe(lambda latent: tfd.Dirichlet(ops.exp(latent) * ops.ones(2)), [[0.5, 0.5], [0.5, 0.6]])


@programs.wrong("outside the support of its Uniform", "1.5 at index (1,)")
def beyond_an_interval():
    observe(lambda latent: tfd.Uniform(0.0 * latent, 1.0), [0.2, 1.5])


@programs.wrong("outside the support of its Binomial", "7.0 at index (1,)")
def more_successes_than_trials():
    observe(lambda latent: tfd.Binomial(5.0, logits=latent), [2.0, 7.0])


@programs.wrong("outside the support of its Poisson", "-1.0 at index (4321,)")
def a_negative_count_far_behind():
    observe(lambda latent: tfd.Poisson(ops.exp(latent)), far(-1, 4321))


@programs.wrong("outside the support of its Poisson", "1.5 at index (2345,)")
def a_fraction_far_behind():
    observe(lambda latent: tfd.Poisson(ops.exp(latent)), far(1.5, 2345))


@programs.wrong("outside the support of its Bernoulli", "2 at index (4999,)")
def a_third_side_far_behind():
    observe(lambda latent: tfd.Bernoulli(logits=latent), far(2, 4999))


@programs.wrong("`x` has values outside the support", "0.5 at index (1234,)", "whole numbers")
def a_grey_pixel_far_behind():
    observe(lambda latent: tfd.Bernoulli(logits=latent), far(0.5, 1234))


@programs.wrong("outside the support of its Dirichlet", "at index (3000,)")
def a_wrong_sum_far_behind():
    shares = np.full((5000, 2), 0.5, "float32")
    shares[3000] = 0.4, 0.5
    observe(lambda latent: tfd.Dirichlet(ops.exp(latent) * ops.ones(2)), shares)


@programs.wrong("outside the support of its Uniform", "1.5 at index (4000,)")
def beyond_an_interval_far_behind():
    observe(lambda latent: tfd.Uniform(0.0 * latent, 1.25), far(1.5, 4000))


@programs.wrong("`x` is one number", "one value per row")
def one_number_where_rows_are_wanted():
    fit_networks(global_mean, {"x": 3.0})


@programs.wrong("can't tell which names the data has", "data without names", "sites `x`, `z`", 'fit({"name": values')
def an_array_of_several_readings():
    def generative():
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(0.0, 1.0))
            kprob.sample("z", tfd.Normal(0.0, 1.0))

    fit_networks(generative, Y)


@programs.wrong("can't tell which names the data has", "covariates `a`, `b`")
def an_array_for_two_covariates():
    def generative(a, b):
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(a + b, 1.0))

    fit_networks(generative, Y)


@programs.wrong(
    "guide of ProbabilisticModel",
    "parameters of its own for each row",
    "5 other rows",
    "the 20 rows",
    "an encoder",
)
def other_rows_for_a_guide_of_rows():
    fit_networks(local_latent, {"x": Y}).fit({"x": Y[:5]}, verbose=0)


@programs.wrong(
    "guide of ProbabilisticModel", "parameters of its own for each row", "4 other rows", "16 rows", "an encoder"
)
def validation_for_a_guide_of_rows():
    fit_networks(local_latent, {"x": Y}, validation_split=0.2)


@programs.right
def every_kind_of_numbers():
    for values in (
        Y,
        list(Y),
        tuple(Y),
        Y.astype("float64"),
        Y.astype(int),
        ops.convert_to_tensor(Y),
        pandas.Series(Y),
    ):
        fit_networks(global_mean, {"x": values})
    fit_networks(global_mean, pandas.DataFrame({"x": Y}))


@programs.right
def coins_of_every_kind():
    for values in ([0, 1, 1], [0.0, 1.0, 1.0], [False, True, True], np.array([0, 1], "uint8")):
        observe(lambda latent: tfd.Bernoulli(logits=latent), values)


@programs.right
def arrays_of_one_reading():
    fit_networks(global_mean, Y)
    fit_networks(regression, X, y=Y)
    fit_networks(regression, {"features": X}, y=Y)


@programs.right
def one_label_for_all_and_labels_far_behind():
    observe(lambda latent: tfd.Categorical(logits=ops.stack([latent, 0.0, 0.0])), [2] * 3)
    observe(lambda latent: tfd.Categorical(logits=ops.stack([latent, 0.0, 0.0])), far(2, 4000))


@programs.right
def a_support_that_depends_on_a_latent():
    # The prior draws bounds around 0.1, and the data reaches 5: nothing is wrong with it.
    def generative():
        bound = kprob.sample("bound", tfd.Exponential(10.0))
        with kprob.plate("data"):
            kprob.sample("x", tfd.Uniform(0.0, bound))

    fit_networks(generative, {"x": np.abs(np.linspace(-5, 5, 3000))})


@programs.right
def a_support_that_depends_on_the_row():
    trials = np.arange(1, 3001).astype("float32")

    def generative(trials):
        latent = kprob.sample("latent", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("x", tfd.Binomial(trials, logits=latent))

    fit_networks(generative, {"trials": trials, "x": trials})


@programs.right
def no_data_where_there_is_none():
    # Neal's funnel: nothing is observed, on purpose.
    def funnel():
        scale = kprob.sample("log_scale", tfd.Normal(0.0, 3.0))
        kprob.sample("x", tfd.Normal(0.0, ops.exp(scale / 2)))

    fit_networks(funnel, None)


@programs.right
def a_value_for_each_county():
    def generative(county, uranium):
        slope = kprob.sample("slope", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("y", tfd.Normal(slope * ops.take(uranium, county, axis=0), 1.0))

    data = {"county": np.arange(20) % 3, "uranium": kprob.Whole([0.1, 0.5, -0.3]), "y": Y}
    fit_networks(generative, data)


@pytest.mark.parametrize("program, words, error", programs.wrong_ones)
def test_wrong(program, words, error):
    assert_error(program, words, error)


@pytest.mark.parametrize("program", programs.right_ones)
def test_right(program):
    program()
