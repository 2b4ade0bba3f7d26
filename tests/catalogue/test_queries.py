"""Queries that can't be answered."""

import keras
import numpy as np
import pytest
from programs import Catalogue, X, Y, assert_error, fit_networks, global_mean, local_latent, regression

import kprob
from kprob import tfd

ops = keras.ops
programs = Catalogue()
DATA = {"features": X, "y": Y}


@pytest.fixture(scope="module")
def models():
    """Models that are built, and queried by many programs."""
    return {
        "mean": fit_networks(global_mean, {"x": Y}),
        "regression": fit_networks(regression, DATA),
        "rows": fit_networks(local_latent, {"x": Y}),
        "new": kprob.ProbabilisticModel(generative=global_mean).compile(),
    }


@programs.wrong_for_each(
    ["posterior", "posterior_predictive"], "needs a fitted model", "never fitted or loaded", "`prior`"
)
def a_query_before_fit(kind, models=None):
    getattr(models["new"], kind)()


@programs.wrong("`predict` of", "needs a fitted model")
def predict_before_fit(models):
    models["new"].predict({})


@programs.wrong("`prior` of ProbabilisticModel has no site `muu`", "Did you mean 'mu'?", "`mu`, `x`")
def a_misspelt_site(models):
    models["mean"].prior("muu")


@programs.wrong("`posterior` of ProbabilisticModel has no site `x`", "Expected: `mu`", "`posterior_predictive`")
def the_posterior_of_what_was_observed(models):
    models["mean"].posterior("x")


@programs.wrong("`posterior_predictive` of ProbabilisticModel has no site `mu`", "queried by `posterior`")
def the_posterior_predictive_of_a_latent(models):
    models["mean"].posterior_predictive("mu")


@programs.wrong_for_each([3, [], {"mu": 1}], "A query is about sites, by name", '["z", "x"]')
def sites_that_are(names, models=None):
    models["mean"].prior(names)


@programs.wrong_for_each([0, -1, 2.5, "3", (2, 3)], "`n` must be a positive int", "n=")
def a_number_of_draws(n, models=None):
    models["mean"].prior("mu").sample(n)


@programs.wrong_for_each(["a", 1.5, -1], "`seed` must be an int of 0 or more")
def a_seed(seed, models=None):
    models["mean"].prior("mu").sample(2, seed=seed)


@programs.wrong_for_each([1.2, 90, 0, "a"], "`probability` must be a number between 0 and 1", "probability=0.9")
def an_interval_of(share, models=None):
    models["mean"].prior("mu").interval(share)


@programs.wrong_for_each([0, 2.5, "a"], "`size` must be a positive int")
def a_data_plate_of(size, models=None):
    models["mean"].prior("x", size=size)


@programs.wrong("`num_samples` must be an int of 2 or more")
def a_mean_of_no_draws(models):
    models["mean"].prior("x").mean(num_samples=0)


@programs.wrong("`num_samples` must be a positive int")
def a_prediction_of_no_draws(models):
    models["regression"].predict({"features": X}, num_samples=0)


@programs.wrong("`log_prob` needs a value for every random variable", "values for `x`", "also `mu`")
def a_density_without_what_it_depends_on(models):
    models["mean"].prior("x").log_prob([1.0])


@programs.wrong("got a value for `muu`", "no random variable", "Did you mean 'mu'?")
def a_density_of_a_misspelt_site(models):
    models["mean"].prior("mu").log_prob({"muu": 1.0})


@programs.wrong("`log_prob` got a bare value for several sites", 'log_prob({"mu": value, ...})')
def a_density_of_a_bare_value(models):
    models["mean"].prior().log_prob(1.0)


@programs.wrong("`log_prob` got different numbers of draws", "`mu`: 2", "`x`: 3")
def a_density_of_different_numbers_of_draws(models):
    models["mean"].prior(["mu", "x"]).log_prob({"mu": [1.0, 2.0], "x": np.ones((3, 1))})


@programs.wrong("site `x` from", "shape (2, 3, 4)", "plates `data` (1)")
def a_density_of_a_wrong_shape(models):
    models["mean"].prior(["mu", "x"]).log_prob({"mu": 1.0, "x": np.ones((2, 3, 4))})


@programs.wrong("data for `mu` is no array of numbers", "str: a")
def a_density_of_a_word(models):
    models["mean"].prior("mu").log_prob("a")


@programs.wrong("data for `mu` holds numbers that aren't finite")
def a_density_of_no_number(models):
    models["mean"].prior("mu").log_prob(np.nan)


@programs.wrong("doesn't know: `muu`", "Did you mean 'mu'?")
def data_of_an_unknown_name(models):
    models["mean"].prior("x", {"muu": 1.0})


@programs.wrong("doesn't know: `feature`", "Did you mean 'features'?")
def a_prediction_of_a_misspelt_covariate(models):
    models["regression"].predict({"feature": X})


@programs.wrong("needs `features`, which the data lacks", 'add "features" to the data')
def a_prediction_without_covariates(models):
    models["regression"].predict({})


@programs.wrong("in `generative` of ProbabilisticModel", "after site `w`", "features (20, 2)", error=Exception)
def a_prediction_of_a_wrong_width(models):
    models["regression"].predict({"features": X[:, :2]})


@programs.wrong("site `mu` from the data", "shape (2,)", "no plate")
def a_condition_of_a_wrong_shape(models):
    models["mean"].prior("x", {"mu": [1.0, 2.0]}).sample()


@programs.wrong_for_each([5, 25], "parameters of its own for each row", "other rows", "the 20 rows of the fit")
def other_rows(number, models=None):
    models["rows"].posterior("z", {"x": np.ones(number)})


@programs.wrong("parameters of its own for each row", "5 other rows")
def predictions_for_other_rows(models):
    models["rows"].posterior_predictive("x", {"x": Y[:5]})


@programs.wrong("parameters of its own for each row", "5 other rows")
def evaluation_on_other_rows(models):
    models["rows"].evaluate({"x": Y[:5]}, verbose=0)


@pytest.mark.parametrize("program, words, error", programs.wrong_ones)
def test_wrong(program, words, error, models):
    assert_error(lambda: program(models=models), words, error)


def test_right(models):
    query = models["mean"].prior(["mu", "x"])
    found = query.log_prob({"mu": 1.0, "x": np.ones((3, 1))})
    assert found["x"].shape == (3, 1)
    np.testing.assert_allclose(found["x"], tfd.Normal(1.0, 1.0).log_prob(1.0), rtol=1e-6)
    assert models["mean"].prior("x", {"mu": 100.0}, size=2).mean().shape == (2,)
    assert models["rows"].posterior("z", {"x": Y}).mean().shape == (20,)
    assert models["rows"].posterior("z").mean().shape == (20,)
