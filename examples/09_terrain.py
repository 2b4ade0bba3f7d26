"""Terrain: is ruggedness bad for a country's income everywhere, or does it help in Africa?

    w ~ N(0, 1)³    b ~ N(0, 1000)    t ~ Gamma(1, 1)    log GDP_i ~ N(w·[africa, rugged, africa × rugged]_i + b, t^-½)

Nunn and Puga (2012) found that rugged land, a refuge from slave raiders, goes with higher incomes in Africa and lower ones
elsewhere. Their 170 countries are read from `rugged/rugged_data.csv` in the folder that KPROB_DATA names (else in
`../shared/data` beside the checkout); where there is no such file, countries of the same form are simulated.
Expected answer: given t all is normal, so a sum over a grid of t is exact. A mean-field q has the right means (to 0.02) but
standard deviations about half as large as they are, and an ELBO 1.1 below the log-evidence (real data: -249.78).
Run time: 20 seconds on two cores.
"""

import csv
import os
from pathlib import Path

import figures
import keras
import matplotlib.pyplot as plt
import numpy as np

import kprob
from kprob import layers


class Terrain(kprob.ProbabilisticModel):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.w = layers.Normal(3, loc=0.0, scale=1.0)
        self.b = layers.Normal(loc=0.0, scale=1000.0)
        self.precision = layers.Gamma(concentration=1.0, rate=1.0)
        self.log_gdp = layers.Normal()

    def generative(self, features):
        w, b, precision = self.w(), self.b(), self.precision()
        with kprob.plate("data"):
            self.log_gdp(loc=keras.ops.matmul(features, w) + b, scale=precision**-0.5)


def load():
    """The real countries where they are, else simulated ones; and what they are."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    file = Path(os.environ.get("KPROB_DATA", beside)) / "rugged" / "rugged_data.csv"
    if file.exists():
        with open(file, encoding="latin-1") as lines:
            rows = [row for row in csv.DictReader(lines) if row["rgdppc_2000"]]
        africa, rugged, gdp = (np.array([float(r[c]) for r in rows]) for c in ("cont_africa", "rugged", "rgdppc_2000"))
        return np.stack([africa, rugged, africa * rugged], 1), np.log(gdp), "170 countries (Nunn and Puga 2012)"
    generator = np.random.default_rng(4)
    africa, rugged = (generator.uniform(size=170) < 0.29) * 1.0, generator.gamma(1.2, 1.1, 170)
    features = np.stack([africa, rugged, africa * rugged], 1)
    return features, 9.2 + features @ [-1.9, -0.2, 0.4] + 0.94 * generator.normal(size=170), "170 simulated countries"


def exact(features, y):
    """Means and standard deviations of w and b, the covariance behind them, and the log-evidence."""
    design, prior = np.c_[features, np.ones(len(y))], np.diag([1.0, 1.0, 1.0, 1e-6])
    grid = np.linspace(0.4, 2.2, 2001)
    log_p, means, seconds = [], [], []
    for t in grid:
        precision = prior + t * design.T @ design
        mean = np.linalg.solve(precision, t * design.T @ y)
        residual = t * (y @ y - y @ design @ mean) - len(y) * np.log(t / (2 * np.pi))
        log_p.append(-0.5 * (residual + np.linalg.slogdet(precision)[1] - np.linalg.slogdet(prior)[1]) - t)
        means.append(mean)
        seconds.append(np.linalg.inv(precision) + np.outer(mean, mean))
    weights = np.exp(np.array(log_p) - max(log_p)) * (grid[1] - grid[0])
    evidence = max(log_p) + np.log(weights.sum())
    weights /= weights.sum()
    mean = weights @ np.array(means)
    return mean, np.tensordot(weights, np.array(seconds), 1) - np.outer(mean, mean), evidence


def main(smoke=False):
    """Fits by mean field and compares it with the exact posterior."""
    keras.utils.set_random_seed(1)
    features, y, source = load()
    data = {"features": features, "log_gdp": y}
    epochs = 2000 if smoke else 6000
    steps = keras.optimizers.schedules.CosineDecay(0.1, epochs)
    model = Terrain().compile(kprob.ELBO(num_samples=4), keras.optimizers.Adam(steps))
    history = model.fit(data, batch_size=len(y), epochs=epochs, verbose=0).history
    w, b = model.posterior("w"), model.posterior("b")
    found, spread = np.r_[w.mean(), b.mean()], np.r_[w.stddev(), b.stddev()]
    mean, covariance, evidence = exact(features, y)
    elbo = len(y) * np.mean(history["elbo"][-epochs // 10 :])  # logged per datum
    print(f"{source}\n                exact             mean-field")
    for i, name in enumerate(("africa", "rugged", "both", "b")):
        print(f"{name:9}{mean[i]:8.3f} ± {covariance[i, i] ** 0.5:.3f}  {found[i]:8.3f} ± {spread[i]:.3f}")
    print(f"ELBO {elbo:.2f}, log-evidence {evidence:.2f}")
    loose = 10 if smoke else 1
    assert np.abs(found - mean).max() < 0.02 * loose
    assert (spread < 0.9 * np.sqrt(np.diag(covariance))).all()
    assert -1.3 * loose < elbo - evidence < 0.0
    if "Nunn" in source:
        assert abs(evidence + 249.78230) < 1e-3 and np.abs(mean[:3] - [-1.84258, -0.18371, 0.34676]).max() < 1e-4
    picture(features, y, model, mean, covariance, source)


def picture(features, y, model, mean, covariance, source):
    draws = model.posterior(["w", "b"]).sample(200, seed=1)
    figure, panels = plt.subplots(1, 2, figsize=(10, 4.2), sharey=True)
    rugged = np.linspace(0, features[:, 1].max(), 2)
    for africa, axes, colour in zip((1, 0), panels, (figures.CORAL, figures.BLUE), strict=True):
        level = draws["b"] + africa * draws["w"][:, 0]
        slope = draws["w"][:, 1] + africa * draws["w"][:, 2]
        axes.plot(rugged, level + slope * rugged[:, None], color=colour, alpha=0.05, lw=1)
        chosen = features[:, 0] == africa
        axes.scatter(features[chosen, 1], y[chosen], 22, color=colour, edgecolor="white", lw=0.5, zorder=3)
        pick = np.array([0, 1, africa, 0])
        exactly = f"{pick @ mean:+.2f} ± {(pick @ covariance @ pick) ** 0.5:.2f}"
        name = "Africa" if africa else "Elsewhere"
        axes.set(title=f"{name}: slope {slope.mean():+.2f} ± {slope.std():.2f}, exactly {exactly}", xlabel="ruggedness")
    panels[0].set_ylabel("log GDP per head, 2000")
    figure.suptitle(source, color=figures.GREY, fontsize=10, fontweight="normal")
    figures.save(figure, "terrain.png")


if __name__ == "__main__":
    main()
