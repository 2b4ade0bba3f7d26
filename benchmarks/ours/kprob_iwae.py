"""kprob's importance weighted autoencoder, on either backend, with both gradients."""

import keras

import kprob
from benchmarks import problems
from benchmarks.contestant import Measurement
from kprob import layers

EPOCHS = 2


def hidden() -> list[keras.layers.Layer]:
    """Returns two hidden layers."""
    return [keras.layers.Dense(problems.IWAE_HIDDEN, "tanh") for _ in range(2)]


class IWAE(kprob.ProbabilisticModel):
    """p(z) p(x|z) with an amortised q(z|x)."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.decoder = keras.Sequential([*hidden(), keras.layers.Dense(problems.VAE_DATA_DIM)])
        self.encoder = keras.Sequential(hidden())
        self.z = layers.Normal(problems.IWAE_LATENT)
        self.x = layers.Bernoulli(problems.VAE_DATA_DIM)
        self.z_given_x = layers.Normal(problems.IWAE_LATENT, name="z")

    def generative(self):
        """p"""
        with kprob.plate("data"):
            self.x(logits=self.decoder(self.z()))

    def inference(self, x):
        """q"""
        with kprob.plate("data"):
            self.z_given_x(self.encoder(x))


def new_model(estimator: str) -> IWAE:
    """Returns a compiled model."""
    keras.utils.set_random_seed(0)
    objective = kprob.objectives.ImportanceWeightedELBO(problems.IWAE_DRAWS, estimator=estimator)
    return IWAE().compile(objective, keras.optimizers.Adam(problems.IWAE_LEARNING_RATE))


def fit(model: IWAE, rows, epochs: int) -> float:
    """Trains for `epochs` epochs and returns the last loss."""
    history = model.fit({"x": rows}, batch_size=problems.IWAE_BATCH, epochs=epochs, verbose=0)
    return history.history["loss"][-1]


def prepare() -> dict[str, Measurement]:
    """Returns `fit` with the plain gradient and with the doubly reparameterised one."""
    rows = problems.binary_images()[: problems.IWAE_ROWS]
    plain, double = new_model("plain"), new_model("doubly_reparameterized")
    return {
        "plain": Measurement(lambda: fit(plain, rows, EPOCHS), EPOCHS),
        "doubly reparameterised": Measurement(lambda: fit(double, rows, EPOCHS), EPOCHS),
    }


def first_result() -> float:
    """Builds, compiles and runs the first epoch."""
    return fit(new_model("plain"), problems.binary_images()[: problems.IWAE_ROWS], 1)
