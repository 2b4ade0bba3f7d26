"""The importance weighted autoencoder written by hand in Keras 3 and TFP: draws folded into the batch, encoder run once."""

import math

import keras
import tensorflow as tf
import tensorflow_probability as tfp
from keras import ops

from benchmarks import problems
from benchmarks.contestant import Measurement

EPOCHS = 2
K = problems.IWAE_DRAWS
tfd = tfp.distributions


class IWAE(keras.Model):
    """The bound of K draws for each row, with its plain gradient."""

    def __init__(self):
        super().__init__()
        self.encoder = keras.Sequential([keras.layers.Dense(problems.IWAE_HIDDEN, "tanh") for _ in range(2)])
        self.loc = keras.layers.Dense(problems.IWAE_LATENT)
        self.scale = keras.layers.Dense(problems.IWAE_LATENT, "softplus")
        self.decoder = keras.Sequential(
            [
                *[keras.layers.Dense(problems.IWAE_HIDDEN, "tanh") for _ in range(2)],
                keras.layers.Dense(problems.VAE_DATA_DIM),
            ]
        )
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, x):
        """Returns minus the bound of each row."""
        features = self.encoder(x)
        q = tfd.Normal(self.loc(features), self.scale(features))
        # Philox: TFP's own sampler takes longer than the decoder when it is compiled on the CPU.
        shape = (K, problems.IWAE_BATCH, problems.IWAE_LATENT)
        noise = tf.random.stateless_normal(shape, self.seed_generator.next(), alg="philox")
        z = q.loc + q.scale * noise
        flat = ops.reshape(z, (K * problems.IWAE_BATCH, problems.IWAE_LATENT))
        logits = ops.reshape(self.decoder(flat), (K, problems.IWAE_BATCH, problems.VAE_DATA_DIM))
        log_p = ops.sum(tfd.Bernoulli(logits=logits).log_prob(x), -1) + ops.sum(tfd.Normal(0.0, 1.0).log_prob(z), -1)
        return math.log(K) - ops.logsumexp(log_p - ops.sum(q.log_prob(z), -1), axis=0)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Returns the mean over the batch."""
        return ops.mean(y_pred)


def new_model() -> IWAE:
    """Returns a compiled model."""
    keras.utils.set_random_seed(0)
    model = IWAE()
    model.compile(keras.optimizers.Adam(problems.IWAE_LEARNING_RATE), jit_compile=True)
    return model


def fit(model: IWAE, rows, epochs: int) -> float:
    """Trains for `epochs` epochs and returns the last loss."""
    history = model.fit(rows, batch_size=problems.IWAE_BATCH, epochs=epochs, verbose=0)
    return history.history["loss"][-1]


def prepare() -> dict[str, Measurement]:
    """Returns `fit`, compiled by XLA."""
    model, rows = new_model(), problems.binary_images()[: problems.IWAE_ROWS]
    return {"fit, jit": Measurement(lambda: fit(model, rows, EPOCHS), EPOCHS)}


def first_result() -> float:
    """Builds, compiles and runs the first epoch."""
    return fit(new_model(), problems.binary_images()[: problems.IWAE_ROWS], 1)
