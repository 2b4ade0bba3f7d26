"""Eight schools: does coaching help, and when may one believe a sampler?

    μ ~ N(0, 5)      τ ~ HalfCauchy(5)      θ_j ~ N(μ, τ),  j = 1 … 8      y_j ~ N(θ_j, σ_j)

The classic data of Rubin (1981). The model is sampled twice, as written above and with θ_j = μ + τ z_j, z_j ~ N(0, 1): the
same posterior, but where τ is small the first one's θ are squeezed into a neck that no step size fits.
Expected answer: μ 4.40 ± 3.32, τ 3.60 ± 3.24, θ_1 6.23 ± 5.59. The centred run diverges dozens of times, and says so; the
non-centred one hardly ever.
Run time: 40 seconds on two cores.
"""

import figures
import keras
import matplotlib.pyplot as plt
import numpy as np

import kprob
from kprob import layers

DATA = {
    "y": np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0]),
    "sigma": np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0]),
}
EXPECTED = {"mu": (4.40, 3.32), "tau": (3.60, 3.24)}


class Centred(kprob.ProbabilisticModel):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.mu = layers.Normal(loc=0.0, scale=5.0)
        self.tau = layers.HalfCauchy(scale=5.0)
        self.theta = layers.Normal()
        self.y = layers.Normal()

    def generative(self, sigma):
        mu, tau = self.mu(), self.tau()
        with kprob.plate("schools", 8):
            self.y(loc=self.theta(loc=mu, scale=tau), scale=sigma)


class NonCentred(Centred):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.theta = layers.Normal(loc=0.0, scale=1.0, name="z")

    def generative(self, sigma):
        mu, tau = self.mu(), self.tau()
        with kprob.plate("schools", 8):
            theta = kprob.deterministic("theta", mu + tau * self.theta())
            self.y(loc=theta, scale=sigma)


def sample(model, smoke):
    number = 300 if smoke else 1000
    model.compile(kprob.NUTS(num_warmup=number, num_samples=number, block_size=number))
    model.fit(DATA, verbose=0)
    return model.diagnose()


def main(smoke=False):
    """Samples both forms and compares what is said of them."""
    keras.utils.set_random_seed(1)
    models = {"centred": Centred(), "non-centred": NonCentred()}
    found = {name: sample(model, smoke) for name, model in models.items()}
    for diagnosis in found.values():
        print(diagnosis, end="\n\n")
    centred, free = found.values()
    print("                   centred   non-centred")
    print(f"divergences     {centred.divergences:10}{free.divergences:14}")
    print(f"smallest ESS    {centred.min_ess_bulk:10.0f}{free.min_ess_bulk:14.0f}")
    print(f"largest R-hat   {centred.max_rhat:10.3f}{free.max_rhat:14.3f}")

    for name, (mean, stddev) in EXPECTED.items():
        row = free.table[name]
        assert abs(row["mean"] - mean) < 5 * row["mcse_mean"] + 0.05, (name, row["mean"])
        assert abs(row["sd"] - stddev) < 5 * row["mcse_sd"] + 0.1, (name, row["sd"])
    assert free.min_ess_bulk > 1.5 * centred.min_ess_bulk
    assert free.divergences < centred.divergences or smoke
    picture(models)


def picture(models):
    figure, panels = plt.subplots(1, 2, figsize=(10, 4.2), sharex=True, sharey=True)
    for axes, (name, model) in zip(panels, models.items(), strict=True):
        values, diverging = model.draws.values, model.draws.statistics["diverging"].ravel() > 0
        tau = values["tau"]
        theta = values["theta"] if "theta" in values else values["mu"][..., None] + tau[..., None] * values["z"]
        first, log_tau = theta[..., 0].ravel(), np.log(tau).ravel()
        axes.plot(first, log_tau, ".", ms=2, color=figures.BLUE, alpha=0.4)
        axes.plot(first[diverging], log_tau[diverging], "o", ms=5, color=figures.CORAL, label="diverged")
        axes.set(
            title=f"{name}: {diverging.sum()} divergences", xlabel="effect in school A", xlim=(-20, 40), ylim=(-4, 4)
        )
    panels[0].set_ylabel("log τ")
    panels[0].legend(loc="lower right")
    figures.save(figure, "eight_schools.png")


if __name__ == "__main__":
    main()
