"""Divergences in closed form, and None where there is none."""

import numpy as np
from contracts import as_numpy
from keras import ops

from kprob import tfd
from kprob.distributions import entropy, kl_divergence


def test_the_divergence_of_two_normals():
    q, p = tfd.Normal(ops.convert_to_tensor([0.0, 1.0]), 2.0), tfd.Normal(3.0, 0.5)
    means, (s, t) = np.array([0.0, 1.0]), (2.0, 0.5)
    exact = np.log(t / s) + (s**2 + (means - 3.0) ** 2) / (2 * t**2) - 0.5
    np.testing.assert_allclose(as_numpy(kl_divergence(q, p)), exact, rtol=1e-5)


def test_what_has_no_closed_form_is_none():
    assert kl_divergence(tfd.Normal(0.0, 1.0), tfd.StudentT(4.0, 0.0, 1.0)) is None


def test_entropies_and_those_that_nobody_knows():
    normal = tfd.Independent(tfd.Normal(ops.zeros((3, 2)), 2.0), 1)
    np.testing.assert_allclose(as_numpy(entropy(normal)), np.full(3, np.log(2 * np.pi * np.e * 4.0)), rtol=1e-5)
    coin = entropy(tfd.Bernoulli(probs=ops.convert_to_tensor(0.3)))
    np.testing.assert_allclose(as_numpy(coin), -(0.3 * np.log(0.3) + 0.7 * np.log(0.7)), rtol=1e-5)
    assert entropy(tfd.Poisson(3.0)) is None
