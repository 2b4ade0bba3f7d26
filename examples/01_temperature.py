"""Temperature: what does one reading tell us, and what do ten?

    one:   temp ~ N(15, 2)          sensor | temp ~ N(temp, 1)              sensor = 18
    ten:   mean_temp ~ N(15, 2)     temp_i ~ N(mean_temp, 2)                sensor_i ~ N(temp_i, 1)

Expected answer: all is normal, so it is exact. One: temp | sensor ~ N(17.4, 0.8944), log-evidence -2.62366. Ten: the mean
of the days ~ N(19.2222, 0.6667), log-evidence -22.6606; a mean-field q has the right means, a standard deviation of 0.6030
(too small: it can't say that mean_temp and the temp_i move together) and an ELBO of -22.7610.
Run time: half a minute on two cores.
"""

import figures
import keras
import matplotlib.pyplot as plt
import numpy as np

import kprob
from kprob import layers

READINGS = [18.0, 18.7, 19.2, 17.8, 20.3, 22.4, 20.3, 21.2, 19.5, 20.1]


class OneReading(kprob.ProbabilisticModel):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.temp = layers.Normal(loc=15.0, scale=2.0)
        self.sensor = layers.Normal(scale=1.0)

    def generative(self):
        self.sensor(loc=self.temp())


class TenReadings(kprob.ProbabilisticModel):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.mean_temp = layers.Normal(loc=15.0, scale=2.0)
        self.temp = layers.Normal(scale=2.0)
        self.sensor = layers.Normal(scale=1.0)

    def generative(self):
        mean_temp = self.mean_temp()
        with kprob.plate("data"):
            temp = self.temp(loc=mean_temp)
            self.sensor(loc=temp)


def fit(model, data, epochs):
    # Draws are noisy, so the steps get smaller and smaller: the answer is then exact to three digits.
    steps = keras.optimizers.schedules.CosineDecay(0.05, epochs)
    model.compile(kprob.ELBO(num_samples=10), keras.optimizers.Adam(steps))
    history = model.fit(data, batch_size=len(READINGS), epochs=epochs, verbose=0).history
    return model, np.mean(history["elbo"][-epochs // 10 :])


def main(smoke=False):
    """Fits both models without an inference network: q is the automatic mean-field guide."""
    keras.utils.set_random_seed(1)
    epochs = 1000 if smoke else 4000
    one, elbo_one = fit(OneReading(), {"sensor": 18.0}, epochs)
    ten, elbo_per_reading = fit(TenReadings(), {"sensor": READINGS}, epochs)

    temp, mean_temp = one.posterior("temp"), ten.posterior("mean_temp")
    elbo_ten = 10 * elbo_per_reading  # what Keras logs is per datum
    print(f"One reading:  temp      {temp.mean():.3f} ± {temp.stddev():.4f}   ELBO {elbo_one:.5f}")
    print(f"Ten readings: mean_temp {mean_temp.mean():.3f} ± {mean_temp.stddev():.4f}   ELBO {elbo_ten:.4f}")
    loose = 20 if smoke else 1
    assert abs(temp.mean() - 17.4) < 0.02 * loose
    assert abs(temp.stddev() - 0.894427) < 0.02 * loose
    assert abs(elbo_one + 2.623657) < 1e-3 * loose
    assert abs(mean_temp.mean() - 19.222222) < 0.02 * loose
    assert abs(mean_temp.stddev() - 0.603023) < 0.02 * loose
    assert abs(elbo_ten + 22.760967) < 0.02 * loose
    picture(temp, ten.posterior("temp", {"sensor": READINGS}))


def picture(temp, temps):
    def normal(x, loc, scale):
        return np.exp(-0.5 * ((x - loc) / scale) ** 2) / (scale * np.sqrt(2 * np.pi))

    x = np.linspace(9, 24, 400)
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    for loc, scale, colour, label in (
        (15, 2, figures.GREY, "before: N(15, 2)"),
        (18, 1, figures.GOLD, "the reading 18 ± 1"),
        (float(temp.mean()), float(temp.stddev()), figures.BLUE, "after: posterior"),
    ):
        left.plot(x, normal(x, loc, scale), color=colour, label=label)
        left.fill_between(x, normal(x, loc, scale), color=colour, alpha=0.12)
    left.set(title="One reading", xlabel="temperature", yticks=(), ylim=0)
    left.spines["left"].set_visible(False)
    left.legend(loc="upper left")

    days = np.arange(1, 11)
    low, high = temps.interval(0.9, seed=1)
    right.vlines(days, low, high, color=figures.BLUE, lw=5, alpha=0.3, label="90 % of each day's posterior")
    right.plot(days, temps.mean(), "o", color=figures.BLUE, label="mean")
    right.plot(days, READINGS, "x", color=figures.CORAL, ms=8, mew=2, label="reading")
    right.set(title="Ten readings: each is pulled towards the others", xlabel="day", xticks=days)
    right.legend(loc="upper left")
    figures.save(figure, "temperature.png")


if __name__ == "__main__":
    main()
