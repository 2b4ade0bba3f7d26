"""kprob's regression on a stream.

`python -m benchmarks.ours.kprob_streaming` runs it and prints speeds and memory as JSON.
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import ops

import kprob
from benchmarks import problems
from kprob import layers

EARLY_ROWS = 1_000_000
MEGABYTE = 2**20


class Regression(kprob.ProbabilisticModel):
    """w, sigma and y given the features."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.w = layers.Normal(problems.STREAM_FEATURES, loc=0.0, scale=1.0)
        self.sigma = layers.HalfNormal(scale=1.0)
        self.y = layers.Normal()

    def generative(self, features):
        """p"""
        w, sigma = self.w(), self.sigma()
        with kprob.plate("data"):
            self.y(loc=ops.matmul(features, w), scale=sigma)


def stream() -> tf.data.Dataset:
    """Returns the rows in batches, each made from its number when it is read."""
    weights = problems.stream_weights()

    def batch(number):
        shape = (problems.STREAM_BATCH, problems.STREAM_FEATURES + 1)
        normals = tf.random.stateless_normal(shape, tf.stack([number, 0]))
        features, noise = normals[:, :-1], problems.STREAM_NOISE * normals[:, -1]
        return {"features": features, "y": tf.linalg.matvec(features, weights) + noise}

    numbers = tf.data.Dataset.range(problems.STREAM_ROWS // problems.STREAM_BATCH)
    return numbers.map(batch).prefetch(2)


def peak_megabytes() -> float:
    """Returns the most memory that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MEGABYTE if sys.platform == "darwin" else peak / 1024


def resident_megabytes() -> float:
    """Returns the memory that this process holds now; its peak where the system doesn't tell."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return peak_megabytes()
    return int(statm.read_text().split()[1]) * resource.getpagesize() / MEGABYTE


class Moment(NamedTuple):
    """What was seen at one moment of the fit."""

    rows: int
    seconds: float
    megabytes: float


class Watch(keras.callbacks.Callback):
    """Notes the time and the memory after the first million rows and at the end."""

    def __init__(self):
        super().__init__()
        self.early: Moment | None = None
        self.final: Moment | None = None

    def on_train_batch_end(self, batch, logs=None):
        """Notes the first time that a million rows have passed."""
        if self.early is None and (batch + 1) * problems.STREAM_BATCH >= EARLY_ROWS:
            rows = (batch + 1) * problems.STREAM_BATCH
            self.early = Moment(rows, time.perf_counter(), resident_megabytes())

    def on_train_end(self, logs=None):
        """Notes the end."""
        self.final = Moment(problems.STREAM_ROWS, time.perf_counter(), resident_megabytes())


def stream_rows_per_second() -> float:
    """Returns the speed of the stream with no model behind it."""
    start = time.perf_counter()
    for batch in stream():
        batch["y"].numpy()
    return problems.STREAM_ROWS / (time.perf_counter() - start)


def main() -> dict[str, float]:
    """Fits the stream once and returns speeds, memory and the error of the learned weights."""
    keras.utils.set_random_seed(0)
    model = Regression().compile(kprob.ELBO(), keras.optimizers.Adam(problems.STREAM_LEARNING_RATE))
    watch = Watch()
    model.fit(stream(), num_data=problems.STREAM_ROWS, epochs=1, verbose=0, callbacks=[watch])
    peak = peak_megabytes()
    early, final = watch.early, watch.final
    error = np.abs(model.posterior("w").mean() - problems.stream_weights()).max()
    return {
        "fit_rows_per_second": (final.rows - early.rows) / (final.seconds - early.seconds),
        "stream_rows_per_second": stream_rows_per_second(),
        "early_megabytes": early.megabytes,
        "final_megabytes": final.megabytes,
        "peak_megabytes": peak,
        "weight_error": float(error),
    }


if __name__ == "__main__":
    print(json.dumps(main()))
