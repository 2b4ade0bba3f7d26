"""Queries about values that can't be: outside supports, of other rows, of what isn't fitted."""

import keras
import numpy as np
import pytest
from programs import Catalogue, assert_error

import kprob
from kprob import tfd
from kprob.errors import DataError

ops = keras.ops
programs = Catalogue()

# A family, and a value that is none of it, whatever its parameters are.
IMPOSSIBLE = {
    "Exponential": (lambda: tfd.Exponential(1.0), -0.5),
    "HalfNormal": (lambda: tfd.HalfNormal(1.0), -2.0),
    "Gamma": (lambda: tfd.Gamma(2.0, 1.0), -1.0),
    "LogNormal": (lambda: tfd.LogNormal(0.0, 1.0), -1.0),
    "Weibull": (lambda: tfd.Weibull(2.0, 1.0), -1.0),
    "Beta": (lambda: tfd.Beta(2.0, 2.0), 1.5),
    "Kumaraswamy": (lambda: tfd.Kumaraswamy(2.0, 2.0), -0.5),
    "Bernoulli": (lambda: tfd.Bernoulli(probs=0.5), 7),
    "Poisson": (lambda: tfd.Poisson(3.0), -1.0),
    "Geometric": (lambda: tfd.Geometric(probs=0.3), 1.5),
    "NegativeBinomial": (lambda: tfd.NegativeBinomial(3.0, probs=0.3), -2.0),
    "Categorical": (lambda: tfd.Categorical(logits=[0.0, 0.0, 0.0]), 3),
    "OneHotCategorical": (lambda: tfd.OneHotCategorical(logits=[0.0, 0.0], dtype="float32"), [1.0, 1.0]),
    "Dirichlet": (lambda: tfd.Dirichlet([1.0, 1.0]), [0.9, 0.9]),
    "Independent": (lambda: tfd.Independent(tfd.Exponential([1.0, 2.0]), 1), [1.0, -1.0]),
}


def one_site(family):
    def network():
        kprob.sample("site", IMPOSSIBLE[family][0]())

    return kprob.ProbabilisticModel(generative=network)


@programs.wrong_for_each(IMPOSSIBLE, "values for `site` are outside the support of its", error=DataError)
def a_density_of_an_impossible(family):
    one_site(family).prior("site").log_prob(IMPOSSIBLE[family][1])


@programs.wrong_for_each(IMPOSSIBLE, "values for `site` are outside the support of its", error=DataError)
def a_condition_of_an_impossible(family):
    one_site(family).prior("site", {"site": IMPOSSIBLE[family][1]})


@programs.wrong_for_each(
    ["Exponential", "Bernoulli", "Dirichlet"],
    "values for `site` are outside the support",
    "at index (2,",
    error=DataError,
)
def a_density_of_many_of_which_one_is_an_impossible(family):
    values = np.asarray(one_site(family).prior("site").sample(4, seed=0))
    values[2] = IMPOSSIBLE[family][1]
    one_site(family).prior("site").log_prob(values)


@pytest.mark.parametrize("program, words, error", programs.wrong_ones)
def test_wrong(program, words, error):
    assert_error(program, words, error)


@pytest.mark.parametrize("family", IMPOSSIBLE)
def test_right(family):
    query = one_site(family).prior("site")
    values = query.sample(3, seed=0)
    found = query.log_prob(values)
    assert found.shape == (3,) and np.isfinite(found).all()
