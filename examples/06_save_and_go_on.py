"""Save, reload, go on: does a run that was interrupted end where an uninterrupted one ends?

    z ~ N(0, I₂)        x | z ~ N(decoder(z), 0.1)        q(z | x) = N(μ(x), σ(x)),      x: points near a spiral

One run trains 100 epochs. Another trains 50, is saved to `spiral.h5`, is thrown away, comes back from the file and trains
the other 50. The file holds weights, optimizer state, the state of the random numbers and the history.
Expected answer: exactly the same weights, to the last bit, and one unbroken history.
Run time: 20 seconds on two cores.
"""

import figures
import keras
import matplotlib.pyplot as plt
import numpy as np

import kprob
from kprob import layers


class Spiral(kprob.ProbabilisticModel):
    def __init__(self, hidden=64, **kwargs):
        super().__init__(**kwargs)
        dense = keras.layers.Dense
        self.decoder = keras.Sequential([dense(hidden, "relu"), dense(hidden, "relu"), dense(2)])
        self.encoder = keras.Sequential([dense(hidden, "relu"), dense(hidden, "relu")])
        self.z = layers.Normal(2)
        self.x = layers.Normal(2, scale=0.1)
        self.z_given_x = layers.Normal(2, name="z")

    def generative(self):
        with kprob.plate("data"):
            self.x(loc=self.decoder(self.z()))

    def inference(self, x):
        with kprob.plate("data"):
            self.z_given_x(self.encoder(x))


def new_model():
    keras.utils.set_random_seed(1)
    return Spiral().compile(kprob.ELBO(), keras.optimizers.Adam(3e-3))


def main(smoke=False):
    """Trains with and without a break, and compares."""
    generator = np.random.default_rng(0)
    angle = 3 * np.pi * np.sqrt(generator.uniform(size=2000)) + 0.5
    x = angle[:, None] / 5 * np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.05 * generator.normal(size=(2000, 2))
    half, whole = (2, 4) if smoke else (50, 100)
    settings = {"x": {"x": x}, "batch_size": 50, "verbose": 0}

    straight = new_model()
    straight.fit(epochs=whole, **settings)

    first = new_model()
    first.fit(epochs=half, **settings)
    first.save(figures.path("spiral.h5"))
    del first

    second = kprob.load_model(figures.path("spiral.h5"))
    begun = second.history.history["elbo"]
    midway = second.prior("x").sample(1000, seed=1)[:, 0]
    ended = second.fit(epochs=whole, initial_epoch=half, **settings).history["elbo"]
    unbroken = straight.history.history["elbo"]

    weights = zip(straight.get_weights(), second.get_weights(), strict=True)
    difference = max(np.abs(one - other).max() for one, other in weights)
    print(f"ELBO {unbroken[-1]:.4f} straight through, {ended[-1]:.4f} with a break;")
    print(f"the largest difference of any weight: {difference}")
    assert difference == 0.0
    assert unbroken == [*begun, *ended]
    assert unbroken[-1] > (-10 if smoke else -2.5)
    picture(unbroken, begun, x, midway, second.prior("x").sample(1000, seed=1)[:, 0])


def picture(unbroken, begun, x, midway, at_the_end):
    figure, (left, *planes) = plt.subplots(1, 3, figsize=(11, 3.8), width_ratios=(1.1, 1, 1))
    epochs, half = np.arange(1, len(unbroken) + 1), len(begun)
    left.plot(epochs, unbroken, color=figures.PALE, lw=8, label="straight through")
    left.plot(epochs[:half], begun, color=figures.BLUE, label="until saved")
    left.plot(epochs[half - 1 :], unbroken[half - 1 :], color=figures.CORAL, label="reloaded, going on")
    left.axvline(half, color=figures.GREY, ls=":", lw=1.2)
    left.set(title="ELBO, nats per point", xlabel="epoch", ylim=(max(unbroken[0], -6), max(unbroken) + 0.3))
    left.legend(loc="lower right")
    for axes, draws, colour, title in (
        (planes[0], midway, figures.BLUE, f"Drawn after {half} epochs, from the file"),
        (planes[1], at_the_end, figures.CORAL, f"Drawn after {len(unbroken)} epochs"),
    ):
        axes.scatter(*x.T, s=5, color=figures.PALE, linewidths=0)
        axes.scatter(*draws.T, s=5, color=colour, alpha=0.7, linewidths=0)
        axes.set(title=title, aspect="equal", xticks=(), yticks=(), xlim=(-2.6, 2), ylim=(-1.8, 2.3))
        axes.spines[:].set_visible(False)
    figures.save(figure, "save_and_go_on.png")


if __name__ == "__main__":
    main()
