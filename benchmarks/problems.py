"""The benchmark problems: sizes and data, so that every contestant does the same work."""

import functools

import numpy as np

# (a) A variational autoencoder on binary images: 784-400-20-400-784, ReLU, Bernoulli logits.
VAE_ROWS = 10_000
VAE_BATCH = 100
VAE_DATA_DIM = 784
VAE_HIDDEN = 400
VAE_LATENT = 20
VAE_LEARNING_RATE = 1e-3

# (b) x_i ~ Normal(loc, scale), loc ~ Normal(0, 10), scale ~ HalfNormal(10); mean-field q, all rows
# in every step.
NORMAL_ROWS = 100
NORMAL_STEPS = 2_000
NORMAL_LEARNING_RATE = 1e-2
NORMAL_PRIOR_SCALE = 10.0

# (f) An importance weighted autoencoder on the first of these images: 784-200-200-50, tanh, K draws.
IWAE_ROWS = 1_000
IWAE_BATCH = 100
IWAE_DRAWS = 50
IWAE_HIDDEN = 200
IWAE_LATENT = 50
IWAE_LEARNING_RATE = 1e-3

# (e) A regression on 19 features and one target, streamed in batches.
STREAM_ROWS = 5_000_000
STREAM_BATCH = 10_000
STREAM_FEATURES = 19
STREAM_LEARNING_RATE = 1e-2
STREAM_NOISE = 0.5

# (f) c_i ~ Categorical(weights), x_i ~ Normal(means[c_i], scales[c_i]); all rows in every step.
MIXTURE_COMPONENTS = 50
MIXTURE_ROWS = 10_000
MIXTURE_STEPS = 200
MIXTURE_LEARNING_RATE = 1e-2


@functools.cache
def binary_images() -> np.ndarray:
    """Returns (10,000, 784) zeros and ones in float32 with a low-dimensional structure to learn."""
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(VAE_ROWS, 5))
    logits = codes @ rng.normal(size=(5, VAE_DATA_DIM))
    return (rng.uniform(size=logits.shape) < 1.0 / (1.0 + np.exp(-logits))).astype("float32")


@functools.cache
def normal_data() -> np.ndarray:
    """Returns (100,) draws of Normal(5, 1) in float32."""
    return np.random.default_rng(0).normal(5.0, 1.0, NORMAL_ROWS).astype("float32")


def stream_weights() -> np.ndarray:
    """Returns the (19,) true weights of the streamed regression in float32."""
    return np.linspace(-1.0, 1.0, STREAM_FEATURES, dtype="float32")


@functools.cache
def mixture_data() -> np.ndarray:
    """Returns (10,000,) points of 50 normals in float32."""
    rng = np.random.default_rng(0)
    return (rng.normal(size=MIXTURE_ROWS) + rng.choice(mixture_means(), MIXTURE_ROWS)).astype("float32")


def mixture_means() -> np.ndarray:
    """Returns (50,) means to start from in float32."""
    return np.linspace(-20.0, 20.0, MIXTURE_COMPONENTS, dtype="float32")
