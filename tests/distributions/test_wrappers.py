"""Distributions around others are recognised and taken off."""

import numpy as np
from keras import ops

from kprob import tfb, tfd
from kprob.distributions import is_a, split_independent
from kprob.distributions.names import family_name
from kprob.distributions.wrappers import split_wrappers, unwrapped


def at(value):
    return ops.convert_to_tensor(value, dtype="float32")


def test_independent_is_taken_off_whole():
    inner = tfd.Normal(at(np.zeros((2, 3))), 1.0)
    found, ndims = split_independent(tfd.Independent(tfd.Independent(inner, 1), 1))
    assert found is inner and ndims == 2
    assert split_independent(inner) == (inner, 0)


def test_wrappers_of_any_distribution_are_recognised():
    # Around a mixture of a bijector that isn't TFP's own, TFP makes an `_Independent`.
    odd = tfd.Independent(tfd.Mixture(tfd.Categorical(probs=at([[1.0]])), [tfd.Normal(at([0.0]), 1.0)]), 1)
    assert is_a(odd, tfd.Independent)


def test_what_only_moves_or_repeats_axes_is_taken_off():
    inner = tfd.Normal(at(np.zeros(3)), 1.0)
    wrapped = tfd.Independent(tfd.BatchBroadcast(inner, (2, 3)), 1)
    assert unwrapped(wrapped) is unwrapped(inner) is inner
    assert split_wrappers(wrapped) == (inner, 1) and split_wrappers(inner) == (inner, 0)


def test_only_the_wrappers_that_are_asked_for_are_taken_off():
    inner = tfd.Independent(tfd.Normal(at(np.zeros(3)), 1.0), 1)
    assert unwrapped(tfd.BatchBroadcast(inner, (4,)), (tfd.BatchBroadcast,)) is inner
    sample = tfd.Sample(inner, 2)
    assert unwrapped(sample) is sample


def test_families_are_named_without_their_wrappers():
    assert family_name(tfd.Independent(tfd.LogNormal(at([0.0]), 1.0), 1)) == "LogNormal"
    moved = tfd.TransformedDistribution(tfd.Independent(tfd.Normal(at([0.0]), 1.0), 1), tfb.Chain([tfb.Exp()]))
    assert family_name(moved) == "Exp(Normal)"
