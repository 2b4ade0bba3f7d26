"""A model as a function, an inference network as a function, an objective as a function: a normal of unknown spread.

    γ ~ Gamma(1, 1)      μ ~ N(0, 10000)      x_i ~ N(μ, γ^-½),  i = 1 … 100      q = Gamma(a, a/g) N(m, s)

Expected answer: of all q of this form the best has, by coordinate ascent, a = 51, g = 0.7812, m = 5.0271, s = 0.1131, and
an ELBO of -167.4235; the log-evidence is -167.4186, so this q gives hardly anything away.
Run time: 20 seconds on two cores.
"""

import figures
import keras
import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

import kprob
from kprob import tfd


@kprob.probmodel
def normal(mu_scale=10000.0):
    gamma = kprob.sample("gamma", tfd.Gamma(1.0, 1.0))
    mu = kprob.sample("mu", tfd.Normal(0.0, mu_scale))
    with kprob.datamodel():
        kprob.sample("x", tfd.Normal(mu, gamma**-0.5))


def guide():
    a = kprob.param("a", 10.0, constraint="positive")
    g = kprob.param("g", 1.0, constraint="positive")
    kprob.sample("gamma", tfd.Gamma(a, a / g))
    m = kprob.param("m", 4.0)
    s = kprob.param("s", 0.5, constraint="positive")
    kprob.sample("mu", tfd.Normal(m, s))


def mc_elbo(generative_trace, inference_trace):  # any function of the two traces is an objective
    return generative_trace.log_prob() - inference_trace.log_prob()


def best(x, prior_precision=1e-8):
    """The best q of this form: coordinate ascent, each step in closed form."""
    a, s, m = 1.0 + len(x) / 2, 1.0, x.mean()
    for _ in range(50):
        g = a / (1.0 + 0.5 * np.sum((x - m) ** 2 + s**2))
        precision = len(x) * g + prior_precision
        m, s = len(x) * g * x.mean() / precision, precision**-0.5
    return a, g, m, s


def main(smoke=False):
    """Fits q and compares it with the best one."""
    keras.utils.set_random_seed(1)
    x = np.random.RandomState(123).normal(5.0, 1.0, 100)
    epochs = 2000 if smoke else 20_000
    steps = keras.optimizers.schedules.CosineDecay(0.1, epochs)
    model = normal(inference=guide).compile(mc_elbo, keras.optimizers.Adam(steps))
    history = model.fit({"x": x}, batch_size=100, epochs=epochs, verbose=0).history

    q = model.posterior(["gamma", "mu"]).parameters()
    a, g = q["gamma"]["concentration"], q["gamma"]["concentration"] / q["gamma"]["rate"]
    found, right = (a, g, q["mu"]["loc"], q["mu"]["scale"]), best(x)
    elbo = 100 * np.mean(history["elbo"][-epochs // 10 :])  # logged per datum
    for name, one, other in zip("agms", found, right, strict=True):
        print(f"{name}  found {one:8.4f}   best {other:8.4f}")
    print(f"ELBO   {elbo:8.3f}   best -167.424")
    loose = 10 if smoke else 1
    assert abs(found[1] - right[1]) < 0.01 * loose and abs(found[2] - right[2]) < 0.01 * loose
    assert abs(found[3] / right[3] - 1) < 0.05 * loose and abs(found[0] / right[0] - 1) < 0.1 * loose
    assert abs(elbo + 167.4235) < 0.05 * loose
    picture(model, history, found, right)


def picture(model, history, found, right):
    figure, (left, middle, last) = plt.subplots(1, 3, figsize=(11, 3.6))
    ends = np.unique(np.geomspace(1, len(history["elbo"]), 60).astype(int))
    means = [100 * np.mean(history["elbo"][i:j]) for i, j in zip(ends[:-1], ends[1:], strict=True)]
    left.plot(ends[1:], means, color=figures.BLUE)
    left.axhline(-167.4186, color=figures.CORAL, ls="--", lw=1.2)
    left.text(36, -167.25, "log-evidence", color=figures.CORAL)
    left.set(title="ELBO", xlabel="step", xscale="log", xlim=30, ylim=(-173, -166.5))
    for axes, x, density, name in (
        (middle, np.linspace(0.4, 1.45, 300), lambda a, g, m, s: stats.gamma(a, scale=g / a), "gamma"),
        (last, np.linspace(4.55, 5.5, 300), lambda a, g, m, s: stats.norm(m, s), "mu"),
    ):
        draws = model.posterior(name).sample(5000, seed=1)
        axes.hist(draws, 40, density=True, histtype="stepfilled", color=figures.BLUE, alpha=0.3, label="its draws")
        axes.plot(x, density(*found).pdf(x), color=figures.BLUE, label="fitted q")
        axes.plot(x, density(*right).pdf(x), "--", color=figures.CORAL, label="best q")
        axes.set(title={"gamma": "Precision γ", "mu": "Mean μ"}[name], yticks=(), xlim=(x[0], x[-1]))
        axes.spines["left"].set_visible(False)
    middle.legend(loc="upper right", fontsize=9)
    figures.save(figure, "function_model.png")


if __name__ == "__main__":
    main()
