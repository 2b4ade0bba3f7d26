"""The importance weighted autoencoder on MNIST, as Burda, Grosse and Salakhutdinov (2016) trained it."""

import keras
import numpy as np
import pytest

import kprob
from kprob import layers

EPOCHS = 30
TEST_IMAGES = 1000
TEST_DRAWS = 5000


def hidden():
    return [keras.layers.Dense(200, "tanh") for _ in range(2)]


class Autoencoder(kprob.ProbabilisticModel):
    """784-200-200-50."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.decoder = keras.Sequential([*hidden(), keras.layers.Dense(784)])
        self.encoder = keras.Sequential(hidden())
        self.z = layers.Normal(50)
        self.x = layers.Bernoulli(784)
        self.z_given_x = layers.Normal(50, name="z")

    def generative(self):
        with kprob.plate("data"):
            self.x(logits=self.decoder(self.z()))

    def inference(self, x):
        with kprob.plate("data"):
            self.z_given_x(self.encoder(x))


def log_likelihood(draws, train, test, epochs, test_draws):
    """Importance weighted log p(x) of a test image after training with a bound of some draws."""
    keras.utils.set_random_seed(0)
    model = Autoencoder().compile(kprob.objectives.ImportanceWeightedELBO(draws), keras.optimizers.Adam(1e-3))
    model.fit({"x": train}, batch_size=100, epochs=epochs, verbose=0)
    model.compile(kprob.objectives.ImportanceWeightedELBO(test_draws), "adam")
    return model.evaluate({"x": test}, batch_size=10, seed=0, return_dict=True, verbose=0)["elbo"]


def images(requires_shared):
    with np.load(requires_shared("mnist", "mnist.npz")) as file:
        return [(file[name] > 127).reshape(-1, 784).astype("float32") for name in ("x_train", "x_test")]


@pytest.mark.slow
def test_fifty_draws_beat_one(requires_shared):
    train, test = images(requires_shared)
    one, fifty = (log_likelihood(k, train, test[:TEST_IMAGES], EPOCHS, TEST_DRAWS) for k in (1, 50))
    assert fifty > one + 1.0, (one, fifty)


@pytest.mark.slow
def test_in_brief_both_come_down_to_the_digits(requires_shared):
    # Six epochs of 5,000 images: far from done, yet each far below pixels on their own, which cost 206 nats.
    train, test = images(requires_shared)
    for draws in (1, 5):
        assert log_likelihood(draws, train[:5000], test[:50], 6, 500) > -190.0
