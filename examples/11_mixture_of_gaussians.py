"""Mixture of Gaussians: how long does one wait for a geyser, if its eruptions come in two kinds?

    share ~ Beta(1, 1)    means_k ~ N(70, 30)    scales_k ~ HalfNormal(20)
    kind_i ~ Bernoulli(share)                    wait_i | kind_i ~ N(means[kind_i], scales[kind_i])

Nobody saw the kinds. They have two values each, so that kprob sums them out, exactly, and q has only the five numbers: no
kind is drawn in training, and none has a score-function gradient. Afterwards `posterior("kind", data)` gives each
eruption's exact probabilities back. Waits are simulated, 80 short ones N(55, 6) and 160 long ones N(80, 6).
Expected answer: the summed density is TFP's MixtureSameFamily to 1e-4; means 55 and 80, share of long waits 2/3, and 97 of
100 kinds are found.
Run time: half a minute on two cores.
"""

import figures
import keras
import matplotlib.pyplot as plt
import numpy as np

import kprob
from kprob import layers, tfd

ops = keras.ops


class Eruptions(kprob.ProbabilisticModel):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.share = layers.Beta(concentration1=1.0, concentration0=1.0)
        self.means = layers.Normal(2, loc=[60.0, 75.0], scale=30.0)
        self.scales = layers.HalfNormal(2, scale=20.0)
        self.kind, self.wait = layers.Bernoulli(), layers.Normal()

    def generative(self):
        share, means, scales = self.share(), self.means(), self.scales()
        with kprob.plate("data"):
            kind = ops.cast(self.kind(probs=share), "int32")
            self.wait(loc=ops.take(means, kind), scale=ops.take(scales, kind))


def main(smoke=False):
    """Fits the automatic guide to the five numbers and asks for the kinds."""
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(1)
    data = {"wait": np.concatenate([rng.normal(55, 6, 80), rng.normal(80, 6, 160)]).astype("float32")}
    epochs = 400 if smoke else 2000
    steps = keras.optimizers.schedules.CosineDecay(0.1, epochs)
    model = Eruptions().compile(kprob.ELBO(num_samples=4), keras.optimizers.Adam(steps))
    model.fit(data, batch_size=240, epochs=epochs, verbose=0)
    model.summary()

    found = model.posterior(["share", "means", "scales"]).mean()
    print(f"means {found['means'].round(1)}, scales {found['scales'].round(1)}, share {found['share']:.2f}")
    loose = 3 if smoke else 1
    assert np.allclose(found["means"], [data["wait"][:80].mean(), data["wait"][80:].mean()], atol=loose)
    assert abs(found["share"] - 2 / 3) < 0.03 * loose

    kinds = model.posterior("kind", data)
    right = np.mean(kinds.mode() == (np.arange(240) >= 80))
    print(f"{100 * right:.0f} of 100 kinds are found")
    assert right > 0.95
    check_density()
    picture(data["wait"], kinds.probs(seed=1)[:, 1], found)


def check_density():
    """The sum over kinds is the density of a mixture, for any fixed parameters."""

    @kprob.probmodel
    def fixed():
        with kprob.plate("data"):
            kind = kprob.sample("kind", tfd.Categorical(probs=[0.3, 0.7]))
            kprob.sample("wait", tfd.Normal(ops.take(ops.convert_to_tensor([55.0, 80.0]), kind), 6.0))

    grid = np.linspace(40, 95, 12).astype("float32")
    model = fixed().compile(kprob.ELBO(), "adam")
    mixture = tfd.MixtureSameFamily(tfd.Categorical(probs=[0.3, 0.7]), tfd.Normal([55.0, 80.0], 6.0))
    expected = np.mean(ops.convert_to_numpy(mixture.log_prob(grid)))
    assert abs(model.evaluate({"wait": grid}, return_dict=True)["elbo"] - expected) < 1e-4


def picture(wait, probs, found):
    grid = np.linspace(35, 100, 300)
    figure, axes = plt.subplots(figsize=(7, 4))
    axes.hist(wait, 30, density=True, color=figures.GREY, alpha=0.4, label="waits")
    shares = 1 - found["share"], found["share"]
    for mean, scale, share, colour in zip(
        found["means"], found["scales"], shares, (figures.CORAL, figures.BLUE), strict=True
    ):
        density = share * np.exp(-0.5 * ((grid - mean) / scale) ** 2) / (scale * np.sqrt(2 * np.pi))
        axes.plot(grid, density, color=colour)
    axes.scatter(wait, np.full_like(wait, -0.002), c=probs, cmap="coolwarm_r", s=10, label="probability of a long wait")
    axes.set(title="Two kinds of eruptions, summed out", xlabel="minutes", yticks=())
    axes.legend()
    figures.save(figure, "mixture.png")


if __name__ == "__main__":
    main()
