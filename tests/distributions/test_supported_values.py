"""Which values are possible: of plain distributions and inside wrappers."""

import numpy as np
import pytest
from contracts import as_numpy
from keras import ops

from kprob import tfb, tfd
from kprob.distributions import (
    contains,
    enumerate_support,
    support_bijector,
    support_name,
)
from kprob.errors import SiteError


def at(value):
    return ops.convert_to_tensor(value, dtype="float32")


def test_contains_has_one_answer_per_element_of_the_batch():
    distribution = tfd.Independent(tfd.Gamma(at([[1.0, 1.0], [2.0, 2.0]]), 1.0), 1)
    inside = as_numpy(contains(distribution, at([[1.0, -1.0], [0.5, 2.0]])))
    assert inside.tolist() == [False, True]


def test_contains_takes_what_users_have():
    count = tfd.Binomial(5.0, logits=at([0.0, 0.0, 0.0]))
    assert as_numpy(contains(count, np.array([0, 5, 6]))).tolist() == [True, True, False]
    assert as_numpy(contains(count, np.array([0.0, 2.5, 5.0]))).tolist() == [True, False, True]
    label = tfd.Categorical(logits=at([0.0, 0.0, 0.0]))
    assert as_numpy(contains(label, np.array([0.0, 2.0, 3.0, 0.7, np.nan]))).tolist() == [True, True] + [False] * 3


def test_contains_looks_through_bijectors_mixtures_and_chains():
    logit_normal = tfd.TransformedDistribution(tfd.Normal(at(0.0), 1.0), tfb.Sigmoid())
    assert as_numpy(contains(logit_normal, at([0.5, 1.5]))).tolist() == [True, False]
    mixture = tfd.MixtureSameFamily(tfd.Categorical(logits=at([0.0, 0.0])), tfd.Uniform(at([0.0, 5.0]), at([1.0, 6.0])))
    assert as_numpy(contains(mixture, at([0.5, 3.0, 5.5]))).tolist() == [True, False, True]
    chain = tfd.HiddenMarkovModel(
        tfd.Categorical(logits=at([0.0, 0.0])),
        tfd.Categorical(logits=at([[0.0, 0.0]] * 2)),
        tfd.Poisson(at([1.0, 5.0])),
        3,
    )
    assert bool(contains(chain, at([0.0, 1.0, 7.0]))) and not bool(contains(chain, at([0.0, 0.5, 7.0])))


def test_an_unknown_support_is_none():
    assert contains(tfd.Empirical(at([1.0, 2.0])), 1.0) is None


ALL_VALUES = {
    "bernoulli": (lambda: tfd.Bernoulli(probs=at([[0.1, 0.2]]), dtype="float32"), (2, 1, 1)),
    "categorical": (lambda: tfd.Categorical(logits=at(np.zeros((3, 4)))), (4, 1)),
    "one-hot": (lambda: tfd.OneHotCategorical(logits=at(np.zeros((3, 4))), dtype="float32"), (4, 1, 4)),
    "binomial": (lambda: tfd.Binomial(np.float32(3.0), logits=at([0.0, 1.0])), (4, 1)),
    "three coins": (lambda: tfd.Independent(tfd.Bernoulli(logits=at([0.0, 1.0, 2.0]), dtype="float32"), 1), (8, 3)),
    "two dice in rows": (lambda: tfd.Independent(tfd.Categorical(logits=at(np.zeros((5, 2, 6)))), 1), (36, 1, 2)),
    "broadcast": (lambda: tfd.BatchBroadcast(tfd.Bernoulli(logits=at(0.0), dtype="float32"), (7,)), (2, 1)),
}


@pytest.mark.parametrize("name", ALL_VALUES)
def test_all_values_have_probability_one_together(name):
    make, shape = ALL_VALUES[name]
    values = enumerate_support(make())
    assert tuple(values.shape) == shape
    total = np.exp(as_numpy(make().log_prob(values))).sum(0)
    np.testing.assert_allclose(total, 1.0, rtol=1e-5)
    assert as_numpy(contains(make(), values)).all()


def test_supports_that_cannot_be_listed():
    assert enumerate_support(tfd.Poisson(at(1.0))) is None
    assert enumerate_support(tfd.Normal(at(0.0), 1.0)) is None
    assert enumerate_support(tfd.Binomial(at([3.0, 4.0]), logits=at([0.0, 0.0]))) is None
    assert enumerate_support(tfd.Independent(tfd.Bernoulli(logits=at(np.zeros(784)), dtype="float32"), 1)) is None


def test_names_of_supports():
    assert support_name(tfd.Independent(tfd.Gamma(at([1.0]), 1.0), 1)) == support_name(tfd.HalfNormal(at(1.0)))
    assert support_name(tfd.Normal(at(0.0), 1.0)) != support_name(tfd.Gamma(at(1.0), 1.0))
    assert support_name(tfd.Empirical(at([1.0]))) is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: tfd.Poisson(at(1.0)),
        lambda: tfd.Deterministic(at(1.0)),
        lambda: tfd.MixtureSameFamily(tfd.Categorical(logits=at([0.0])), tfd.Uniform(at([0.0]), at([1.0]))),
    ],
)
def test_what_has_no_bijector_says_so(make):
    with pytest.raises(SiteError, match="can't be made of unconstrained real numbers"):
        support_bijector(make())


def test_the_bijector_of_a_mixture_of_fixed_supports_is_that_of_its_components():
    mixture = tfd.MixtureSameFamily(tfd.Categorical(logits=at([0.0])), tfd.Gamma(at([1.0]), 1.0))
    assert float(support_bijector(mixture).forward(at(0.0))) == 1.0
