"""What is discrete, also inside wrappers."""

import pytest
from keras import ops

from kprob import tfb, tfd
from kprob.distributions import is_discrete


def at(value):
    return ops.convert_to_tensor(value, dtype="float32")


@pytest.mark.parametrize(
    ("make", "discrete"),
    [
        (lambda: tfd.Bernoulli(logits=at(0.0), dtype="float32"), True),
        (lambda: tfd.Independent(tfd.Poisson(at([1.0])), 1), True),
        (lambda: tfd.MixtureSameFamily(tfd.Categorical(logits=at([0.0])), tfd.Poisson(at([1.0]))), True),
        (lambda: tfd.MixtureSameFamily(tfd.Categorical(logits=at([0.0])), tfd.Normal(at([1.0]), 1.0)), False),
        (lambda: tfd.QuantizedDistribution(tfd.Normal(at(0.0), 1.0)), True),
        (lambda: tfd.Skellam(at(1.0), at(2.0)), True),
        (lambda: tfd.TransformedDistribution(tfd.Normal(at(0.0), 1.0), tfb.Exp()), False),
        (lambda: tfd.Deterministic(at(0.0)), False),
    ],
)
def test_what_is_discrete(make, discrete):
    assert is_discrete(make()) is discrete
