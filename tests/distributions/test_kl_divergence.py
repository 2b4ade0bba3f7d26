"""Divergences in closed form, and None where there is none."""

import numpy as np
from contracts import as_numpy
from keras import ops

from kprob import tfd
from kprob.distributions import kl_divergence


def test_the_divergence_of_two_normals():
    q, p = tfd.Normal(ops.convert_to_tensor([0.0, 1.0]), 2.0), tfd.Normal(3.0, 0.5)
    means, (s, t) = np.array([0.0, 1.0]), (2.0, 0.5)
    exact = np.log(t / s) + (s**2 + (means - 3.0) ** 2) / (2 * t**2) - 0.5
    np.testing.assert_allclose(as_numpy(kl_divergence(q, p)), exact, rtol=1e-5)


def test_what_has_no_closed_form_is_none():
    assert kl_divergence(tfd.Normal(0.0, 1.0), tfd.StudentT(4.0, 0.0, 1.0)) is None
