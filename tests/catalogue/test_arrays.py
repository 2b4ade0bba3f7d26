"""Arrays that would be changed on their way into a model: masks, labels of rows, digits, names; and those that aren't."""

import keras
import numpy as np
import pandas
import pytest
from programs import Catalogue, X, Y, assert_error, fit_networks, global_mean, observe, regression

import kprob
from kprob import tfd

ops = keras.ops
programs = Catalogue()
ON_JAX = keras.backend.backend() == "jax"
MASKED = np.ma.masked_array(np.append(Y[:-1], 999.0), np.arange(20) == 19)
ORDER = np.random.default_rng(1).permutation(20)
SECONDS = np.arange(20) + 1_700_000_000
BIG = 2**24 + 1


@programs.wrong("`x` has masked entries", "1 of 20 entries masked", "x.filled(value)", "sample_weight")
def masked_values():
    fit_networks(global_mean, {"x": MASKED})


@programs.wrong("`x` has masked entries")
def masked_values_for_a_sampler():
    kprob.ProbabilisticModel(generative=global_mean).compile(kprob.NUTS()).fit({"x": MASKED})


@programs.wrong("`x` has masked entries")
def masked_values_in_a_list():
    fit_networks(global_mean, {"x": [MASKED, MASKED]})


@programs.wrong("`features` has masked entries", "20 of 60 entries masked")
def masked_covariates():
    fit_networks(regression, {"features": np.ma.masked_array(X, np.arange(3) == 1 + 0 * X), "y": Y})


@programs.wrong("`x` has masked entries")
def masked_integers():
    observe(lambda latent: tfd.Poisson(ops.exp(latent)), np.ma.masked_equal([1, 2, -9], -9))


@programs.wrong("`sample_weight` has masked entries")
def masked_weights():
    fit_networks(global_mean, {"x": Y}, sample_weight=np.ma.masked_array(np.ones(20), ORDER == 3))


@programs.wrong("`u` has masked entries")
def masked_values_of_no_row():
    def generative(u):
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(ops.sum(u), 1.0))

    fit_networks(generative, {"u": kprob.Whole(MASKED), "x": Y})


@programs.wrong("`x` has masked entries")
def masked_values_in_a_handler():
    with kprob.handlers.condition(data={"x": MASKED}), kprob.handlers.rows(size=20):
        global_mean()


@programs.wrong("`mu` has masked entries")
def masked_values_of_a_query():
    model = kprob.ProbabilisticModel(generative=global_mean)
    model.prior("mu").log_prob(np.ma.masked_array([1.0, 2.0], [True, False]))


@programs.wrong("`features` and `y` are in another order", "0, 1, 2, 3, ...", "y.loc[features.index]", ".to_numpy()")
def rows_in_another_order():
    frame = pandas.DataFrame(X)
    fit_networks(regression, {"features": frame, "y": pandas.Series(Y).iloc[ORDER]})


@programs.wrong("`features` and `y` have other labels", "take both from one data frame")
def other_rows():
    labels = pandas.RangeIndex(100, 120)
    fit_networks(regression, {"features": pandas.DataFrame(X), "y": pandas.Series(Y, index=labels)})


@programs.wrong("are in another order")
def rows_in_another_order_as_y():
    model = kprob.ProbabilisticModel(generative=regression).compile()
    model.fit({"features": pandas.DataFrame(X)}, pandas.Series(Y).iloc[ORDER])


@programs.wrong("`x` and `sample_weight` are in another order")
def weights_in_another_order():
    fit_networks(global_mean, {"x": pandas.Series(Y)}, sample_weight=pandas.Series(np.ones(20)).iloc[ORDER])


@programs.wrong("are in another order")
def rows_of_a_plate_of_schools_in_another_order():
    def schools(sigma):
        mu = kprob.sample("mu", tfd.Normal(0.0, 5.0))
        with kprob.plate("schools", 3):
            kprob.sample("y", tfd.Normal(mu, sigma))

    sigma = pandas.Series([1.0, 2.0, 3.0], index=["a", "b", "c"])
    fit_networks(schools, {"sigma": sigma, "y": pandas.Series([1.0, 2.0, 3.0], index=["c", "b", "a"])})


@programs.wrong("are in another order")
def rows_in_another_order_in_validation():
    pairs = {"features": pandas.DataFrame(X), "y": pandas.Series(Y).iloc[ORDER]}
    fit_networks(regression, {"features": X, "y": Y}, validation_data=pairs)


@programs.wrong("`x` has integers that float32 can't hold", "16777217 at index (1,)", "1 of 3", "all are", "astype")
def integers_beyond_a_float():
    fit_networks(global_mean, {"x": np.array([1, BIG, 5])})


@programs.wrong("`x` has integers that float32 can't hold", "16777217")
def counts_beyond_a_float():
    observe(lambda latent: tfd.Poisson(ops.exp(latent)), np.array([1, BIG, 5]))


@programs.wrong("`x` has integers that float32 can't hold", "16777217.0")
def counts_beyond_a_float_that_are_floats():
    observe(lambda latent: tfd.Poisson(ops.exp(latent)), np.array([1.0, BIG, 5.0]))


@programs.wrong("`x` has integers that int32 can't hold", "4294967297 at index (2,)")
def labels_beyond_an_integer():
    observe(lambda latent: tfd.Categorical(logits=ops.stack([latent, 0.0])), np.array([0, 1, 2**32 + 1]))


@programs.wrong("integers that int32 can't hold", "4294967297")
def a_label_beyond_an_integer_in_a_handler():
    with kprob.handlers.condition(data={"k": 2**32 + 1}):
        kprob.sample("k", tfd.Categorical(logits=[0.0, 0.0]))


@programs.wrong_for_each(
    [SECONDS, SECONDS.astype("float64"), SECONDS * 1000], "has more digits than float32 keeps", "t"
)
def times_that_become_one_time(times):
    if ON_JAX and times[0] > 2**31:
        times = times.astype("float64")  # beyond its integers, which is another error

    def generative(t):
        slope = kprob.sample("slope", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("y", tfd.Normal(slope * ops.cast(t, "float32"), 1.0))

    fit_networks(generative, {"t": times, "y": Y})


@programs.wrong("column 1 of `features` has more digits than float32 keeps", "(x - x.min())", "counted from the first")
def a_column_of_times():
    fit_networks(regression, {"features": np.stack([X[:, 0], SECONDS, X[:, 1]], 1).astype("float64"), "y": Y})


@programs.wrong("`x` has more digits than float32 keeps", "rounded by up to")
def values_that_become_one_value():
    fit_networks(global_mean, {"x": 1e9 + Y.astype("float64")})


@programs.wrong("`x` has more digits than float32 keeps")
def values_that_become_zero():
    fit_networks(global_mean, {"x": 1e-50 * Y.astype("float64")})


@programs.wrong("`x` is too large for float32", "1e+300", "below 3.4e+38")
def values_beyond_a_float():
    fit_networks(global_mean, {"x": np.array([1.0, 1e300])})


@programs.wrong("Two parts of the data have the name `0`", "0, '0'", "rename")
def names_that_are_one_as_text():
    fit_networks(global_mean, {0: Y, "0": Y})


@programs.wrong("Two parts of the data have the name `x`")
def columns_of_one_name():
    fit_networks(global_mean, pandas.DataFrame(np.stack([Y, Y], 1), columns=["x", "x"]))


@programs.wrong_for_each(
    [
        pandas.Series(pandas.date_range("2024-01-01", periods=20)),
        pandas.Series(pandas.to_timedelta(range(20), "D")),
        pandas.Series(pandas.period_range("2024-01", periods=20, freq="M")),
        pandas.Series([*"ab"] * 10).astype("category"),
        pandas.Series([True, None] * 10, dtype="boolean"),
        np.array([1.0, 2.5] * 10, dtype=object),
        Y + 1j,
        np.zeros(20, [("a", "f4"), ("b", "i4")]),
        {1.0, 2.0},
    ],
    "data for `x` is no array of numbers",
    "all rows of the same shape",
)
def what_is_no_number(values):
    fit_networks(global_mean, {"x": values})


if ON_JAX:

    @programs.wrong_for_each(
        [np.full(20, 2**31), np.full(20, -(2**40)), np.full(20, 2**63 + 1, "uint64")],
        "`k` has integers that",
        "can't hold",
    )
    def covariates_beyond_an_integer(values):
        def generative(k):
            with kprob.plate("data"):
                kprob.sample("x", tfd.Normal(ops.cast(k > 0, "float32"), 1.0))

        fit_networks(generative, {"k": values, "x": Y})


@programs.right
def masks_that_mask_nothing():
    fit_networks(global_mean, {"x": np.ma.masked_array(Y)})
    fit_networks(global_mean, {"x": np.ma.masked_array(Y, np.zeros(20, bool))}, sample_weight=np.ma.ones(20))


@programs.right
def rows_of_one_order():
    frame = pandas.DataFrame(X).iloc[ORDER]
    frame["y"] = Y
    fit_networks(regression, {"features": frame[[0, 1, 2]], "y": frame["y"]}, sample_weight=frame["y"] ** 2)
    fit_networks(regression, {"features": frame[[0, 1, 2]].to_numpy(), "y": pandas.Series(Y)})
    fit_networks(regression, {"features": pandas.DataFrame(X), "y": pandas.Series(Y, index=range(20))})
    fit_networks(regression, {"features": pandas.DataFrame(X), "y": pandas.Series(Y, index=np.arange(20.0))})


@programs.right
def labels_of_another_length():
    def generative(county, uranium):
        slope = kprob.sample("slope", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("y", tfd.Normal(slope * ops.take(uranium, county, axis=0), 1.0))

    counties = pandas.Series([0.1, 0.5, -0.3], index=["a", "b", "c"])
    data = {"county": pandas.Series(np.arange(20) % 3), "y": pandas.Series(Y), "uranium": kprob.Whole(counties)}
    fit_networks(generative, data)


@programs.right
def integers_that_stay_what_they_are():
    fit_networks(global_mean, {"x": np.array([1, 2**24, -(2**24), 2**25])})
    observe(lambda latent: tfd.Poisson(ops.exp(latent)), np.array([0.0, 2**24, 2**25]))
    observe(lambda latent: tfd.Categorical(logits=ops.stack([latent, 0.0])), np.array([0, 1, 1], "int64"))
    observe(lambda latent: tfd.Bernoulli(logits=latent), np.array([0, 1, 1], "uint64"))


@programs.right
def numbers_of_ordinary_size():
    for values in (101325.0 + Y, 273.15 + 0.01 * Y, 1e6 * Y, np.full(20, 1e9 + 0.3), 2000.0 + np.arange(20)):
        fit_networks(global_mean, {"x": values.astype("float64")})
    fit_networks(
        regression, {"features": np.stack([X[:, 0], 1990 + np.arange(20), 0 * Y], 1).astype("float64"), "y": Y}
    )


@programs.right
def large_numbers_of_customers():
    def generative(customer):
        effect = kprob.sample("effect", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("y", tfd.Normal(ops.where(customer == 30_000_001, effect, 0.0), 1.0))

    fit_networks(generative, {"customer": np.arange(20) * 3_000_000 + 1, "y": Y})


@pytest.mark.parametrize("program, words, error", programs.wrong_ones)
def test_wrong(program, words, error):
    assert_error(program, words, error)


@pytest.mark.parametrize("program", programs.right_ones)
def test_right(program):
    program()


def test_a_few_times_close_together_are_asked_of_a_model_of_many():
    def generative(t):
        slope = kprob.sample("slope", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("y", tfd.Normal(slope * t, 1.0))

    year = np.linspace(1.6e9, 1.7e9, 20)
    model = fit_networks(generative, {"t": year, "y": Y})
    model.fit({"t": year, "y": Y}, epochs=1, verbose=0)
    assert model.predict({"t": year[0] + np.arange(3)}).shape == (3,)
