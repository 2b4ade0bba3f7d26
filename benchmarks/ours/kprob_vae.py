"""kprob's variational autoencoder, on either backend."""

import keras

import kprob
from benchmarks import problems
from benchmarks.contestant import Measurement
from kprob import layers

EPOCHS = 8


class VAE(kprob.ProbabilisticModel):
    """p(z) p(x|z) with an amortised q(z|x)."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.decoder = keras.Sequential(
            [
                keras.layers.Dense(problems.VAE_HIDDEN, "relu"),
                keras.layers.Dense(problems.VAE_DATA_DIM),
            ]
        )
        self.encoder = keras.layers.Dense(problems.VAE_HIDDEN, "relu")
        self.z = layers.Normal(problems.VAE_LATENT)
        self.x = layers.Bernoulli(problems.VAE_DATA_DIM)
        self.z_given_x = layers.Normal(problems.VAE_LATENT, name="z")

    def generative(self):
        """p"""
        with kprob.plate("data"):
            z = self.z()
            self.x(logits=self.decoder(z))

    def inference(self, x):
        """q"""
        with kprob.plate("data"):
            self.z_given_x(self.encoder(x))


def new_model() -> VAE:
    """Returns a compiled model."""
    keras.utils.set_random_seed(0)
    return VAE().compile(kprob.ELBO(), keras.optimizers.Adam(problems.VAE_LEARNING_RATE))


def fit(model: VAE, rows, epochs: int) -> float:
    """Trains for `epochs` epochs and returns the last loss."""
    history = model.fit({"x": rows}, batch_size=problems.VAE_BATCH, epochs=epochs, verbose=0)
    return history.history["loss"][-1]


def prepare() -> dict[str, Measurement]:
    """Returns `fit`: the whole call, with what it does before and after the epochs."""
    model, rows = new_model(), problems.binary_images()
    return {"fit": Measurement(lambda: fit(model, rows, EPOCHS), EPOCHS)}


def first_result() -> float:
    """Builds, compiles and runs the first epoch."""
    return fit(new_model(), problems.binary_images(), 1)
