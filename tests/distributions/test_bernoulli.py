"""The faster density of a Bernoulli with logits is TFP's, at the ends too."""

import numpy as np
from contracts import as_numpy
from keras import ops

from kprob import backend, layers, tfd
from kprob.distributions.corrected.bernoulli import Bernoulli


def test_it_is_tfps():
    logits = ops.convert_to_tensor(np.array([-3.0, 0.0, 2.0, -np.inf, np.inf, 0.7], "float32"))
    values = ops.convert_to_tensor(np.array([1.0, 0.0, 1.0, 0.0, 1.0, 0.25], "float32"))
    own = Bernoulli(logits=logits)
    np.testing.assert_allclose(
        as_numpy(own.log_prob(values)), as_numpy(tfd.Bernoulli(logits=logits).log_prob(values)), rtol=1e-5, atol=1e-7
    )


def test_its_gradient_is_exact_where_the_logit_is_zero():
    def density(logits):
        return ops.sum(Bernoulli(logits=logits).log_prob(ops.convert_to_tensor([1.0, 0.0])))

    _, gradients = backend.gradients(density, ops.convert_to_tensor(np.zeros(2, "float32")))
    np.testing.assert_allclose(as_numpy(gradients[0]), [0.5, -0.5])


def test_the_layer_has_it():
    distribution = layers.Bernoulli(3).distribution(logits=ops.zeros((2, 3)))
    assert type(distribution.distribution) is Bernoulli
