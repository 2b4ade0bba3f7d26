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


@kprob.probmodel
def weighed_mean(c):
    with kprob.plate("data"):
        z = kprob.sample("z", tfd.Normal(0.0, 1.0))
        kprob.sample("x", tfd.Normal(z + (c - 1.0) * ops.mean(z), 1.0))


def test_what_the_data_showed_is_known_after_loading(tmp_path):
    # A file is loaded on rows of ones, on which this network doesn't look across rows.
    c = np.arange(6, dtype="float32")
    model = weighed_mean().compile(kprob.ELBO(), "adam")
    model.fit({"c": c, "x": c}, epochs=1, verbose=0)
    before = model.networks.folding, model.networks.coupling
    assert not before[0].generative and before[1].plates == {"data"}
    model.save(tmp_path / "m.h5")
    loaded = kprob.load_model(tmp_path / "m.h5")
    assert (loaded.networks.folding, loaded.networks.coupling) == before
