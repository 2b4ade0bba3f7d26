"""A sampler under Keras's callbacks: it stops when its chains agree, writes a log, and goes on from a file.

    gamma ~ Gamma(1, 1)      mu ~ N(0, 10000)      x_i ~ N(mu, gamma^-1/2),  i = 1 ... 100

Blocks of transitions are epochs. The run stops by itself once R-hat has stopped falling; it is saved with its draws and the
chains' states, loaded, and drawn from again for more draws: the second run needs no warm-up.
Expected answer: E gamma = 0.7812 ± 0.1099, E mu = 5.027 ± 0.1143 (exact, by quadrature).
Run time: 30 seconds on two cores.
"""

import csv

import figures
import keras
import matplotlib.pyplot as plt
import numpy as np

import kprob
from kprob import layers

EXPECTED = {"gamma": (0.781173, 0.109926), "mu": (5.027109, 0.114280)}


class Normal(kprob.ProbabilisticModel):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.gamma = layers.Gamma(concentration=1.0, rate=1.0)
        self.mu = layers.Normal(loc=0.0, scale=10000.0)
        self.x = layers.Normal()

    def generative(self):
        gamma, mu = self.gamma(), self.mu()
        with kprob.plate("data"):
            self.x(loc=mu, scale=gamma**-0.5)


def main(smoke=False):
    """Samples until R-hat settles, saves, loads and goes on."""
    keras.utils.set_random_seed(1)
    data = {"x": np.random.RandomState(123).normal(5.0, 1.0, 100)}
    size = 50 if smoke else 200
    sampler = kprob.NUTS(num_warmup=4 * size, num_samples=40 * size, num_chains=2 if smoke else 4, block_size=size)
    model = Normal().compile(sampler)
    log, file = figures.path("mcmc_log.csv"), figures.path("mcmc.h5")
    callbacks = [
        keras.callbacks.EarlyStopping("max_rhat", mode="min", min_delta=0.001, patience=2),
        keras.callbacks.CSVLogger(str(log)),
    ]
    history = model.fit(data, callbacks=callbacks, verbose=0)
    draws = model.draws.num_draws
    print(f"Stopped by itself after {len(history.epoch)} blocks, {draws} draws of each chain instead of {40 * size}.")
    assert draws < 40 * size
    with log.open() as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        numbers = {name: float(row[name]) for name in ("step_size", "accept_rate", "max_rhat", "min_ess")}
        print(f"block {row['epoch']:>2}  " + "  ".join(f"{name} {value:8.3f}" for name, value in numbers.items()))
    assert len(rows) == len(history.epoch)

    model.save(str(file))
    again = kprob.load_model(str(file), custom_objects={"Normal": Normal})
    again.fit(data, epochs=5, verbose=0)
    assert again.draws.num_draws == draws + 5 * size  # no second warm-up, and nothing lost
    found = again.diagnose()
    print(found)
    for name, (mean, stddev) in EXPECTED.items():
        row = found.table[name]
        assert abs(row["mean"] - mean) < 5 * row["mcse_mean"], (name, row)
        assert abs(row["sd"] - stddev) < 5 * row["mcse_sd"], (name, row)
    picture(again, history, draws)


def picture(model, history, draws):
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    left.plot(history.epoch, history.history["max_rhat"], "o-", color=figures.BLUE)
    left.axhline(1.01, color=figures.CORAL, ls="--", lw=1.2)
    left.set(title="R-hat after each block", xlabel="block", xticks=history.epoch)
    for chain in model.draws.values["mu"]:
        right.plot(chain, lw=0.6, alpha=0.7)
    right.axvline(draws, color=figures.INK, lw=1.2)
    right.text(draws, right.get_ylim()[1], " saved and loaded", va="top")
    right.set(title="Draws of μ", xlabel="draw")
    figures.save(figure, "mcmc_with_callbacks.png")


if __name__ == "__main__":
    main()
