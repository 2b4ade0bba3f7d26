"""Plates in plates: how good is a school of which only three pupils were tested?

    μ ~ N(0, 1)                    τ, υ ~ HalfNormal(1)
    region_r ~ N(μ, τ)             r = 1 … 6
    school_rs ~ N(region_r, υ)     s = 1 … 5 in each region
    score_i ~ N(school of i, 0.8)  i = 1 … all pupils, 2 to 40 of each school

A school's own mean is noisy where there are few pupils; the mean of all ignores what it's like. The model finds the middle:
it pulls a school towards its region, and the more so the fewer pupils it has. (Simulated, so that the truth is known.)
Expected answer: closer to the truth than either; and, given the scales, the same as the normal model's closed form, to 0.1.
Run time: 20 seconds on two cores.
"""

import figures
import keras
import matplotlib.pyplot as plt
import numpy as np

import kprob
from kprob import layers

REGIONS, SCHOOLS, NOISE = 6, 5, 0.8


class Schools(kprob.ProbabilisticModel):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.mu = layers.Normal(loc=0.0, scale=1.0)
        self.between_regions = layers.HalfNormal(scale=1.0)
        self.between_schools = layers.HalfNormal(scale=1.0)
        self.region = layers.Normal()
        self.school = layers.Normal()
        self.score = layers.Normal(scale=NOISE)

    def generative(self, school_of_pupil):
        mu, tau, upsilon = self.mu(), self.between_regions(), self.between_schools()
        with kprob.plate("regions", REGIONS):
            region = self.region(loc=mu, scale=tau)  # (6,)
            with kprob.plate("schools", SCHOOLS):
                school = self.school(loc=region[:, None], scale=upsilon)  # (6, 5): plates nest outermost first
        school = keras.ops.reshape(school, (-1,))
        with kprob.plate("data"):
            self.score(loc=keras.ops.take(school, school_of_pupil))  # one for each pupil


def simulate():
    generator = np.random.default_rng(3)
    region = 0.5 + 0.7 * generator.normal(size=REGIONS)
    school = np.repeat(region, SCHOOLS) + 0.4 * generator.normal(size=REGIONS * SCHOOLS)
    pupils = generator.permutation(np.geomspace(2, 40, REGIONS * SCHOOLS).astype(int))
    index = np.repeat(np.arange(REGIONS * SCHOOLS), pupils)
    return (
        school,
        pupils,
        {"school_of_pupil": index, "score": school[index] + NOISE * generator.normal(size=len(index))},
    )


def closed_form(means, pupils, tau, upsilon):
    """Posterior means of the schools given both scales: everything is normal."""
    same_region = np.kron(np.eye(REGIONS), np.ones((SCHOOLS, SCHOOLS)))
    prior = 1.0 + tau**2 * same_region + upsilon**2 * np.eye(len(means))
    return prior @ np.linalg.solve(prior + np.diag(NOISE**2 / pupils), means)


def main(smoke=False):
    """Fits the hierarchy with the automatic mean-field guide."""
    keras.utils.set_random_seed(1)
    truth, pupils, data = simulate()
    epochs = 1500 if smoke else 5000
    steps = keras.optimizers.schedules.CosineDecay(0.05, epochs)
    model = Schools().compile(kprob.ELBO(num_samples=2), keras.optimizers.Adam(steps))
    model.fit(data, batch_size=len(data["score"]), epochs=epochs, verbose=0)

    found = model.posterior().mean(seed=1)
    assert found["region"].shape == (REGIONS,) and found["school"].shape == (REGIONS, SCHOOLS)
    alone = np.array([data["score"][data["school_of_pupil"] == i].mean() for i in range(len(truth))])
    partial = found["school"].ravel()
    exact = closed_form(alone, pupils, found["between_regions"], found["between_schools"])
    error = {
        "own mean": alone - truth,
        "mean of all": data["score"].mean() - truth,
        "partial pooling": partial - truth,
    }
    error = {name: np.sqrt(np.mean(e**2)) for name, e in error.items()}
    print("Error against the truth:", ", ".join(f"{name} {e:.3f}" for name, e in error.items()))
    print(f"Largest difference from the closed form: {np.abs(partial - exact).max():.3f}")
    assert error["partial pooling"] < min(error["own mean"], error["mean of all"])
    assert np.abs(partial - exact).max() < (0.3 if smoke else 0.1)
    picture(truth, pupils, alone, partial, found["region"], data["score"].mean())


def picture(truth, pupils, alone, partial, region, mean):
    figure, axes = plt.subplots(figsize=(10, 4.4))
    gap = np.arange(len(truth)) + 1.5 * np.repeat(np.arange(REGIONS), SCHOOLS)
    axes.axhline(mean, color=figures.GREY, ls=":", lw=1.2)
    axes.text(gap[SCHOOLS + 2], mean - 0.06, "mean of all", color=figures.GREY, ha="center", va="top")
    for r, colour in zip(range(REGIONS), figures.DIGITS, strict=False):
        own = slice(r * SCHOOLS, (r + 1) * SCHOOLS)
        axes.hlines(region[r], gap[own][0] - 0.5, gap[own][-1] + 0.5, color=colour, alpha=0.35, lw=6)
        axes.vlines(gap[own], alone[own], partial[own], color=colour, lw=1.5)
        axes.scatter(gap[own], alone[own], 10 + 5 * pupils[own], facecolor="white", edgecolor=colour, lw=1.5, zorder=3)
        axes.scatter(gap[own], partial[own], 36, color=colour, zorder=4)
        axes.scatter(gap[own], truth[own], 40, color=figures.INK, marker="x", zorder=5)
    axes.set(
        title="From a school's own mean (ring, as large as it has pupils) to the pooled one (dot); truth ×",
        ylabel="score",
        xticks=gap.reshape(REGIONS, SCHOOLS).mean(1),
        xticklabels=[f"region {r + 1}" for r in range(REGIONS)],
    )
    axes.tick_params(axis="x", length=0)
    axes.spines["bottom"].set_visible(False)
    figures.save(figure, "plates.png")


if __name__ == "__main__":
    main()
