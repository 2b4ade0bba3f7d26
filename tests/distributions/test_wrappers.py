"""Wrappers are taken off down to the distribution that has the parameters."""

import numpy as np

from kprob import tfd
from kprob.distributions.wrappers import split_wrappers, unwrapped


def test_independent_and_broadcast_are_taken_off():
    inner = tfd.Normal(np.zeros((2, 3), "float32"), 1.0)
    wrapped = tfd.BatchBroadcast(tfd.Independent(tfd.Independent(inner, 1), 1), (4,))
    assert unwrapped(wrapped) is unwrapped(inner) is inner
    found, ndims = split_wrappers(wrapped)
    assert found is inner and ndims == 2
    assert split_wrappers(inner) == (inner, 0)


def test_only_the_wrappers_that_are_asked_for():
    inner = tfd.Independent(tfd.Normal(np.zeros(3, "float32"), 1.0), 1)
    assert unwrapped(tfd.BatchBroadcast(inner, (4,)), (tfd.BatchBroadcast,)) is inner
    assert type(unwrapped(tfd.Sample(inner, 2))).__name__.strip("_") == "Sample"
