"""The variational autoencoder of Kingma and Welling's size on MNIST: its bound is known well."""

import keras
import numpy as np
import pytest

import kprob
from kprob import layers


class VAE(kprob.ProbabilisticModel):
    """784-400-20."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.decoder = keras.Sequential([keras.layers.Dense(400, "relu"), keras.layers.Dense(784)])
        self.encoder = keras.Sequential([keras.layers.Dense(400, "relu")])
        self.z = layers.Normal(20)
        self.x = layers.Bernoulli(784)
        self.z_given_x = layers.Normal(20, name="z")

    def generative(self):
        with kprob.plate("data"):
            self.x(logits=self.decoder(self.z()))

    def inference(self, x):
        with kprob.plate("data"):
            self.z_given_x(self.encoder(x))


@pytest.mark.slow
def test_twenty_epochs_reach_the_known_bound(requires_shared):
    with np.load(requires_shared("mnist", "mnist.npz")) as file:
        train, test = ((file[name] > 127).reshape(-1, 784).astype("float32") for name in ("x_train", "x_test"))
    model = VAE().compile(kprob.ELBO(), keras.optimizers.Adam(1e-3))
    model.fit({"x": train}, batch_size=128, epochs=20, verbose=0)
    found = model.evaluate({"x": test}, batch_size=1000, return_dict=True, seed=0)
    assert found["elbo"] > -87.0
