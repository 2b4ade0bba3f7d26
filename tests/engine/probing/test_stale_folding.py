"""What was tried out of a network is forgotten when the network changes."""

import numpy as np
from keras import ops

import kprob
from kprob import tfd


def test_a_network_that_comes_to_look_across_rows_is_tried_out_again():
    settings = {"centred": False}

    def generative():
        with kprob.plate("data"):
            z = kprob.sample("z", tfd.Normal(0.0, 1.0))
            kprob.deterministic("f", z - ops.mean(z) if settings["centred"] else z)

    model = kprob.ProbabilisticModel(generative=generative)
    model.prior("f", size=4).sample(3, seed=1)
    settings["centred"] = True
    draws = model.prior(["z", "f"], size=4).sample(3, seed=1)
    np.testing.assert_allclose(draws["f"], draws["z"] - draws["z"].mean(1, keepdims=True), atol=1e-5)
