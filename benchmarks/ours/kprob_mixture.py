"""kprob's mixture: the labels are left out of q, so that they are summed out."""

import keras
import numpy as np

import kprob
from benchmarks import problems
from benchmarks.contestant import Measurement
from kprob import tfd

ops = keras.ops


@kprob.probmodel
def mixture():
    """means, scales, weights, labels and the data"""
    number = problems.MIXTURE_COMPONENTS
    means = kprob.param("means", problems.mixture_means())
    scales = kprob.param("scales", np.ones(number, "float32"), constraint="positive")
    weights = kprob.param("weights", np.full(number, 1 / number, "float32"), constraint="simplex")
    with kprob.plate("data"):
        label = kprob.sample("label", tfd.Categorical(probs=weights))
        kprob.sample("x", tfd.Normal(ops.take(means, label), ops.take(scales, label)))


def fit(model, steps: int) -> float:
    """Fits all rows in every step and returns the last loss."""
    data = {"x": problems.mixture_data()}
    return model.fit(data, batch_size=problems.MIXTURE_ROWS, epochs=steps, verbose=0).history["loss"][-1]


def new_model():
    """Returns the compiled model."""
    return mixture().compile(kprob.ELBO(), keras.optimizers.Adam(problems.MIXTURE_LEARNING_RATE))


def prepare() -> dict[str, Measurement]:
    """Returns `fit`, counted by its steps."""
    model = new_model()
    return {"fit": Measurement(lambda: fit(model, problems.MIXTURE_STEPS), problems.MIXTURE_STEPS)}


def first_result() -> float:
    """Builds, compiles and runs all steps."""
    return fit(new_model(), problems.MIXTURE_STEPS)
