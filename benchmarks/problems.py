"""The benchmark problems: sizes and data, so that every contestant does the same work."""

import csv
import functools
import os
from pathlib import Path

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

# (g) c_i ~ Categorical(weights), x_i ~ Normal(means[c_i], scales[c_i]); all rows in every step.
MIXTURE_COMPONENTS = 50
MIXTURE_ROWS = 10_000
MIXTURE_STEPS = 200
MIXTURE_LEARNING_RATE = 1e-2

# (h) Posteriors for samplers: 4 chains, 1,000 transitions to warm up, 1,000 draws of each.
CHAINS = 4
WARMUP = 1_000
DRAWS = 1_000
TARGET_ACCEPT_RATE = 0.8
# Of microcanonical dynamics: few where latents are about independent, many where one needs all others to move.
STEPS_OF_A_DRAW = {"logistic": 4, "schools": 4, "ruggedness": 4, "groups": 4, "volatility": 40}
EFFECTIVE_DRAWS = 400


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


@functools.cache
def sampler_data(problem: str) -> dict[str, np.ndarray]:
    """Returns the data of one of case (h)'s posteriors, by name, in float32."""
    return {name: np.asarray(value, "float32") for name, value in SAMPLER_DATA[problem]().items()}


def logistic_data() -> dict[str, np.ndarray]:
    """2,000 rows of 20 standard normal features, and labels."""
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2_000, 20)), rng.normal(0.0, 0.5, size=20)
    return {"x": x, "label": rng.uniform(size=2_000) < 1.0 / (1.0 + np.exp(-(x @ w + 0.5)))}


def schools_data() -> dict[str, np.ndarray]:
    """Effects of coaching in eight schools, and their standard errors (Rubin 1981)."""
    return {"y": np.array([28, 8, -3, 7, -1, 1, 18, 12]), "sigma": np.array([15, 10, 16, 11, 9, 11, 10, 18])}


def ruggedness_data() -> dict[str, np.ndarray]:
    """170 countries: in Africa or not, ruggedness, their product, and the logarithm of income (Nunn and Puga 2012).

    Numbers alike where the table isn't beside the checkout, or where `KPROB_DATA` says.
    """
    here = Path(__file__).resolve().parents[2] / "shared" / "data"
    path = Path(os.environ.get("KPROB_DATA", here)) / "rugged" / "rugged_data.csv"
    if path.exists():
        with path.open(encoding="latin-1", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["rgdppc_2000"]]
        africa, rugged, income = (np.array([float(row[name]) for row in rows]) for name in RUGGED_COLUMNS)
        income = np.log(income)
    else:
        rng = np.random.default_rng(0)
        africa, rugged = (rng.uniform(size=170) < 0.3) * 1.0, rng.gamma(1.2, 1.1, size=170)
        income = 9.2 - 1.9 * africa - 0.2 * rugged + 0.4 * africa * rugged + rng.normal(0.0, 0.94, 170)
    return {"x": np.stack([africa, rugged, africa * rugged], axis=1), "y": income}


RUGGED_COLUMNS = ("cont_africa", "rugged", "rgdppc_2000")


def groups_data() -> dict[str, np.ndarray]:
    """100 groups of 20 rows, each group with an intercept and a slope of its own."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(100), 20)
    intercepts, slopes = rng.normal(1.0, 0.7, 100), rng.normal(-0.5, 0.4, 100)
    x = rng.normal(size=2_000)
    return {"x": x, "group": group, "y": intercepts[group] + slopes[group] * x + rng.normal(0.0, 1.0, 2_000)}


def volatility_data() -> dict[str, np.ndarray]:
    """500 returns whose scale wanders."""
    rng = np.random.default_rng(0)
    log_scale = -0.5 + np.cumsum(rng.normal(0.0, 0.1, 500))
    return {"r": np.exp(log_scale) * rng.standard_t(10.0, 500)}


SAMPLER_DATA = {
    "logistic": logistic_data,
    "schools": schools_data,
    "ruggedness": ruggedness_data,
    "groups": groups_data,
    "volatility": volatility_data,
}
