"""Simulation-based calibration: does the inference find what it should, wherever the truth lies?

    slope ~ N(0, 1)      start ~ N(0, 1)      y_i ~ N(start + slope · x_i, 1/2),  i = 1 … 12,  x_i between 0 and 2

Parameters are drawn from the prior, data given them, and the model is fitted to each data set. The rank of the true value
among posterior draws is then uniform if, and only if, the posteriors are right.
Expected answer: all is normal, so a q with the dependence of start on slope can be exact: its ranks are uniform. The
mean-field guide can't say that a higher slope means a lower start: its posteriors are too narrow, and the ranks pile up at
both ends.
Run time: a minute on two cores.
"""

import figures
import keras
import numpy as np

import kprob
from kprob import tfd

X = np.linspace(0.0, 2.0, 12).astype("float32")


@kprob.probmodel
def line(x):
    slope = kprob.sample("slope", tfd.Normal(0.0, 1.0))
    start = kprob.sample("start", tfd.Normal(0.0, 1.0))
    with kprob.plate("data"):
        kprob.sample("y", tfd.Normal(start + slope * x, 0.5))


def joint():  # q of start given slope: together any bivariate normal
    scale = kprob.param("slope_scale", 0.3, constraint="positive")
    slope = kprob.sample("slope", tfd.Normal(kprob.param("slope_loc", 0.0), scale))
    loc = kprob.param("start_loc", 0.0) + kprob.param("lean", 0.0) * slope
    kprob.sample("start", tfd.Normal(loc, kprob.param("start_scale", 0.3, constraint="positive")))


def calibrate(model, num_simulations, epochs):
    steps = keras.optimizers.schedules.CosineDecay(0.1, epochs)
    model.compile(kprob.ELBO(num_samples=2), keras.optimizers.Adam(steps))
    fit = {"epochs": epochs, "batch_size": len(X)}
    return kprob.diagnostics.sbc(
        model, num_simulations, 99, data={"x": X}, observed="y", fit=fit, seed=1, verbose=False
    )


def main(smoke=False):
    """Calibrates two q's: one compiled program serves all the fits of each."""
    keras.utils.set_random_seed(1)
    number, epochs = (100, 1500) if smoke else (400, 3000)
    right, narrow = calibrate(line(inference=joint), number, epochs), calibrate(line(), number, epochs)
    print(f"A q that can be exact. {right}\n")
    print(f"Mean field. {narrow}")
    assert right.uniform()
    assert not narrow.uniform() and "too narrow" in str(narrow)
    figures.OUT.mkdir(exist_ok=True)
    right.plot(figures.OUT / "calibration_right.png")
    narrow.plot(figures.OUT / "calibration_narrow.png")


if __name__ == "__main__":
    main()
