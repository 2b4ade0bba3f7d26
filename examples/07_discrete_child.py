"""A discrete child of continuous parents: which dose of a poison kills half of the beetles?

    α ~ N(0, 2)      β ~ N(0, 2)      killed_i | α, β ~ Binomial(exposed_i, sigmoid(α + β dose_i)),      LD50 = -α / β

Bliss (1935) put eight groups of flour beetles into carbon disulphide; the dose is its log-concentration, in steps of 0.05
from 1.80. The counts are discrete, what they depend on is not.
Expected answer: a sum over a grid of (α, β) is exact. The mean-field guide finds its means to 0.03 and the dose that kills
half, 1.772 in log₁₀ mg/l, to 0.002.
Run time: 20 seconds on two cores.
"""

import figures
import keras
import matplotlib.pyplot as plt
import numpy as np
from scipy import stats
from scipy.special import expit

import kprob
from kprob import layers

LOG_DOSE = np.array([1.6907, 1.7242, 1.7552, 1.7842, 1.8113, 1.8369, 1.8610, 1.8839])
EXPOSED = np.array([59, 60, 62, 56, 63, 59, 62, 60])
KILLED = np.array([6, 13, 18, 28, 52, 53, 61, 60])
DOSE = (LOG_DOSE - 1.8) / 0.05


class Beetles(kprob.ProbabilisticModel):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.alpha = layers.Normal(loc=0.0, scale=2.0)
        self.beta = layers.Normal(loc=0.0, scale=2.0)
        self.killed = layers.Binomial()

    def generative(self, dose, exposed):
        alpha, beta = self.alpha(), self.beta()
        kprob.deterministic("half", 1.8 - 0.05 * alpha / beta)
        with kprob.plate("data"):
            self.killed(total_count=exposed, logits=alpha + beta * dose)


def exact():
    """Means of α, β and the dose that kills half, by a sum over a grid."""
    alpha, beta = np.meshgrid(np.linspace(-1, 3, 401), np.linspace(0.3, 4, 401), indexing="ij")
    log_p = stats.norm.logpdf(alpha, 0, 2) + stats.norm.logpdf(beta, 0, 2)
    for dose, exposed, killed in zip(DOSE, EXPOSED, KILLED, strict=True):
        log_p += stats.binom.logpmf(killed, exposed, expit(alpha + beta * dose))
    weights = np.exp(log_p - log_p.max())
    weights /= weights.sum()
    return [float(np.sum(weights * f)) for f in (alpha, beta, 1.8 - 0.05 * alpha / beta)]


def main(smoke=False):
    """Fits q, the automatic mean-field guide, and compares it with the exact posterior."""
    keras.utils.set_random_seed(1)
    data = {"dose": DOSE, "exposed": EXPOSED, "killed": KILLED}
    epochs = 500 if smoke else 3000
    steps = keras.optimizers.schedules.CosineDecay(0.05, epochs)
    model = Beetles().compile(kprob.ELBO(num_samples=4), keras.optimizers.Adam(steps))
    model.fit(data, batch_size=8, epochs=epochs, verbose=0)

    posterior = model.posterior(["alpha", "beta"])
    draws = model.posterior_predictive(["half"], data).sample(2000, seed=1)["half"]
    found = [*posterior.mean().values(), draws.mean()]
    for name, one, other in zip(("alpha", "beta", "LD50"), found, exact(), strict=True):
        print(f"{name:6} found {one:.4f}   exact {other:.4f}")
    loose = 10 if smoke else 1
    assert abs(found[0] - exact()[0]) < 0.03 * loose and abs(found[1] - exact()[1]) < 0.03 * loose
    assert abs(found[2] - exact()[2]) < 0.002 * loose

    low, high = model.posterior_predictive("killed", data).interval(0.9, seed=1)
    assert np.issubdtype(low.dtype, np.floating) and (low >= 0).all() and (high <= EXPOSED).all()
    assert np.sum((low <= KILLED) & (KILLED <= high)) >= 6
    picture(posterior.sample(2000, seed=1), draws, low, high)


def picture(draws, half, low, high):
    log_dose = np.linspace(1.66, 1.91, 200)
    curves = expit(draws["alpha"][:, None] + draws["beta"][:, None] * (log_dose - 1.8) / 0.05)
    figure, axes = plt.subplots(figsize=(7, 4.2))
    axes.fill_between(log_dose, *np.quantile(curves, (0.05, 0.95), axis=0), color=figures.BLUE, alpha=0.25, lw=0)
    axes.plot(log_dose, curves.mean(0), color=figures.BLUE, label="share killed: mean and 90 % of the posterior")
    axes.vlines(LOG_DOSE, low / EXPOSED, high / EXPOSED, color=figures.GOLD, lw=2, label="90 % of new experiments")
    axes.plot(LOG_DOSE, KILLED / EXPOSED, "o", color=figures.CORAL, ms=7, label="Bliss's beetles, 1935")
    axes.hlines(0.5, 1.66, half.mean(), color=figures.GREY, ls=":", lw=1.2)
    axes.vlines(half.mean(), 0, 0.5, color=figures.GREY, ls=":", lw=1.2)
    axes.text(half.mean() + 0.004, 0.06, f"half at {half.mean():.3f} ± {half.std():.3f}", color=figures.INK)
    axes.set(
        title="How a beetle's chances fall with the dose",
        xlabel="log₁₀ of CS₂, mg/l",
        ylabel="share killed",
        xlim=(1.66, 1.91),
        ylim=(0, 1.02),
    )
    axes.legend(loc="upper left", fontsize=9)
    figures.save(figure, "discrete_child.png")


if __name__ == "__main__":
    main()
