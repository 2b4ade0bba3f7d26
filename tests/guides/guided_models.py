"""The models that the guides are tried on, and one of every guide."""

import keras
import numpy as np

import kprob
from kprob import guides, tfd

READINGS = np.array([18, 18.7, 19.2, 17.8, 20.3, 22.4, 20.3, 21.2, 19.5, 20.1])

GUIDES = {
    "Delta": guides.Delta,
    "Group": lambda **options: guides.Group({"level": guides.MultivariateNormal(**options)}, guides.Normal(**options)),
    "InverseAutoregressiveFlow": lambda **options: guides.InverseAutoregressiveFlow(2, (6,), **options),
    "Laplace": guides.Laplace,
    "LowRankMultivariateNormal": lambda **options: guides.LowRankMultivariateNormal(2, **options),
    "MaskedAutoregressiveFlow": lambda **options: guides.MaskedAutoregressiveFlow(2, (6,), **options),
    "MultivariateNormal": guides.MultivariateNormal,
    "NeuralSplineFlow": lambda **options: guides.NeuralSplineFlow(2, 5, hidden_units=(6,), **options),
    "Normal": guides.Normal,
    "RealNVP": lambda **options: guides.RealNVP(2, (6,), **options),
    "Structured": guides.Structured,
}
POINTS = ("Delta", "Laplace")
FLOWS = ("InverseAutoregressiveFlow", "MaskedAutoregressiveFlow", "NeuralSplineFlow", "RealNVP")


@kprob.probmodel
def temperature():
    """One reading."""
    level = kprob.sample("level", tfd.Normal(15.0, 2.0))
    kprob.sample("sensor", tfd.Normal(level, 1.0))


@kprob.probmodel
def days():
    """Ten readings in the data plate."""
    mean = kprob.sample("mean", tfd.Normal(15.0, 2.0))
    with kprob.plate("data"):
        day = kprob.sample("day", tfd.Normal(mean, 2.0))
        kprob.sample("sensor", tfd.Normal(day, 1.0))


@kprob.probmodel
def ten_days():
    """The same in a plate of ten."""
    mean = kprob.sample("mean", tfd.Normal(15.0, 2.0))
    with kprob.plate("days", 10):
        day = kprob.sample("day", tfd.Normal(mean, 2.0))
        kprob.sample("sensor", tfd.Normal(day, 1.0))


@kprob.probmodel
def small():
    """A real latent, a positive one, and one in each row."""
    level = kprob.sample("level", tfd.Normal(0.0, 2.0))
    rate = kprob.sample("rate", tfd.Gamma(3.0, 2.0))
    with kprob.plate("data"):
        shift = kprob.sample("shift", tfd.Normal(level, 1.0))
        kprob.sample("x", tfd.Normal(shift + rate, 1.0))


@kprob.probmodel
def mixed():
    """Latents of several supports, outside the data plate, in a plate, and two in each row."""
    level = kprob.sample("level", tfd.Normal(0.0, 2.0))
    with kprob.plate("pair", 2):
        rate = kprob.sample("rate", tfd.Gamma(3.0, 2.0))
    share = kprob.sample("share", tfd.Dirichlet([2.0, 3.0, 4.0]))
    with kprob.plate("data"):
        shift = kprob.sample("shift", tfd.Normal(level, 1.0))
        with kprob.plate("pair", 2):
            size = kprob.sample("size", tfd.LogNormal(0.3 * keras.ops.log(rate), 0.5))
        kprob.sample("x", tfd.Normal(shift + keras.ops.sum(size, -1) + share[0], 1.0))


def some_data(rows=10):
    """Data of `small` and `mixed`."""
    return {"x": np.random.RandomState(1).normal(2.0, 1.0, rows).astype("float32")}


def adam(start: float, steps: int):
    """Adam whose rate falls to zero, so that what is left is bias and not noise."""
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(start, steps))


def moved(model, spread=0.05, seed=0):
    """Moves a fitted model's trained weights away from where they are, so that nothing is zero by chance."""
    generator = np.random.RandomState(seed)
    for variable in model.trainable_variables:
        variable.assign(variable + spread * generator.normal(size=variable.shape).astype("float32"))
    return model
