"""The variational autoencoder written by hand in Keras 3 and TensorFlow Probability."""

import keras
import tensorflow_probability as tfp
from keras import ops

from benchmarks import problems
from benchmarks.contestant import Measurement

EPOCHS = 2
tfd = tfp.distributions


class VAE(keras.Model):
    """p(z) p(x|z) and q(z|x); the analytic KL, one draw."""

    def __init__(self):
        super().__init__()
        self.hidden = keras.layers.Dense(problems.VAE_HIDDEN, "relu")
        self.loc = keras.layers.Dense(problems.VAE_LATENT)
        self.scale = keras.layers.Dense(problems.VAE_LATENT, "softplus")
        self.decoder = keras.Sequential(
            [
                keras.layers.Dense(problems.VAE_HIDDEN, "relu"),
                keras.layers.Dense(problems.VAE_DATA_DIM),
            ]
        )

    def call(self, x):
        """Returns the negative ELBO of each row."""
        features = self.hidden(x)
        q = tfd.Normal(self.loc(features), self.scale(features))
        logits = self.decoder(q.sample())
        log_likelihood = ops.sum(tfd.Bernoulli(logits=logits).log_prob(x), axis=-1)
        kl = ops.sum(tfd.kl_divergence(q, tfd.Normal(0.0, 1.0)), axis=-1)
        return kl - log_likelihood

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Returns the mean over the batch."""
        return ops.mean(y_pred)


def new_model(**compile_arguments) -> VAE:
    """Returns a compiled model."""
    keras.utils.set_random_seed(0)
    model = VAE()
    model.compile(keras.optimizers.Adam(problems.VAE_LEARNING_RATE), **compile_arguments)
    return model


def fit(model: VAE, rows, epochs: int) -> float:
    """Trains for `epochs` epochs and returns the last loss."""
    history = model.fit(rows, batch_size=problems.VAE_BATCH, epochs=epochs, verbose=0)
    return history.history["loss"][-1]


def prepare() -> dict[str, Measurement]:
    """Returns `fit` with Keras's defaults, and with the options that make it fast."""
    rows = problems.binary_images()
    plain = new_model()
    tuned = new_model(jit_compile=True, steps_per_execution=10)
    return {
        "fit": Measurement(lambda: fit(plain, rows, EPOCHS), EPOCHS),
        "fit, jit, 10 steps per execution": Measurement(lambda: fit(tuned, rows, EPOCHS), EPOCHS),
    }


def first_result() -> float:
    """Builds, compiles and runs the first epoch."""
    return fit(new_model(), problems.binary_images(), 1)
