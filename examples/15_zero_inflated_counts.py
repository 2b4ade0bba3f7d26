"""Zero-inflated counts: is a lamb that doesn't move resting, or only between two movements?

    asleep ~ Beta(1, 1)      rate ~ Gamma(1, 1)      moves_i = 0 with probability asleep, else ~ Poisson(rate)

The data are the movements of a foetal lamb in 240 intervals of five seconds (Leroux and Puterman 1992), of which 182 have
none. Against it stands the plain model, moves_i ~ Poisson(rate).
Expected answer: sums over a grid give asleep 0.559 ± 0.073, rate 0.832 ± 0.149, and log-evidences of
-194.359 against -203.739: the data speak for zero inflation by a factor of ten thousand.
Run time: 20 seconds on two cores.
"""

import figures
import keras
import matplotlib.pyplot as plt
import numpy as np
from scipy import special

import kprob
from kprob import tfd

COUNTS = np.repeat([0, 1, 2, 3, 4, 7], [182, 41, 12, 2, 2, 1]).astype("float32")


@kprob.probmodel
def inflated():
    asleep = kprob.sample("asleep", tfd.Beta(1.0, 1.0))
    rate = kprob.sample("rate", tfd.Gamma(1.0, 1.0))
    with kprob.plate("data"):
        # The choice between asleep and awake is summed out: a zero may come from either.
        kprob.sample("moves", tfd.Inflated(tfd.Poisson(rate), inflated_loc_probs=asleep))


def joint():  # the more often it sleeps, the faster it moves when awake: q must say so
    rate = kprob.sample("rate", tfd.LogNormal(kprob.param("r", 0.0), kprob.param("r_scale", 0.2, "positive")))
    logit = kprob.param("a", 0.0) + kprob.param("lean", 0.0) * keras.ops.log(rate)
    kprob.sample("asleep", tfd.LogitNormal(logit, kprob.param("a_scale", 0.2, "positive")))


@kprob.probmodel
def plain():
    rate = kprob.sample("rate", tfd.Gamma(1.0, 1.0))
    with kprob.plate("data"):
        kprob.sample("moves", tfd.Poisson(rate))


def exact():
    """Posterior means and standard deviations of asleep and rate, and both log-evidences, by sums over a grid."""
    asleep, rate = np.linspace(0.0005, 0.9995, 1000), np.linspace(0.005, 5.0, 1500)
    a, r = asleep[:, None], rate[None, :]
    awake = COUNTS[COUNTS > 0]
    zeros = np.sum(COUNTS == 0) * np.log(a + (1 - a) * np.exp(-r))
    log_joint = zeros + np.sum(np.log1p(-a) - r + awake[:, None, None] * np.log(r), axis=0) - r
    log_joint -= special.gammaln(awake + 1).sum()
    weights = np.exp(log_joint - log_joint.max())
    log_evidence = log_joint.max() + np.log(weights.sum() * (asleep[1] - asleep[0]) * (rate[1] - rate[0]))
    weights /= weights.sum()
    moments = []
    for value, axis in ((asleep, 1), (rate, 0)):
        share = weights.sum(axis)
        mean = share @ value
        moments += [mean, np.sqrt(share @ (value - mean) ** 2)]
    number, total = len(COUNTS), COUNTS.sum()
    plain_evidence = special.gammaln(total + 1) - (total + 1) * np.log(number + 1) - special.gammaln(COUNTS + 1).sum()
    return moments, log_evidence, plain_evidence


def fit(model, epochs):
    steps = keras.optimizers.schedules.CosineDecay(0.05, epochs)
    model.compile(kprob.ELBO(), keras.optimizers.Adam(steps))
    model.fit({"moves": COUNTS}, batch_size=len(COUNTS), epochs=epochs, verbose=0, check=False)
    return model


def main(smoke=False):
    """Fits both models, compares their evidences, and looks at what each expects to see."""
    keras.utils.set_random_seed(1)
    moments, log_evidence, plain_evidence = exact()
    data = {"moves": COUNTS}
    model, other = fit(inflated(inference=joint), 1500 if smoke else 5000), fit(plain(), 1000 if smoke else 3000)
    draws = model.posterior(["asleep", "rate"], data).sample(8000, seed=1)
    found = [f(draws[name]) for name in ("asleep", "rate") for f in (np.mean, np.std)]
    print("asleep {:.3f} ± {:.3f}, rate {:.3f} ± {:.3f}".format(*found))
    print("exact  {:.3f} ± {:.3f},      {:.3f} ± {:.3f}".format(*moments))
    estimates = [m.log_marginal_likelihood(data, 4000, seed=1) for m in (model, other)]
    print(f"Log-evidence: inflated {estimates[0]} (exact {log_evidence:.3f})")
    print(f"              plain    {estimates[1]} (exact {plain_evidence:.3f})")
    print(model.diagnose(data, seed=1))

    for value, right, spread in zip(found, moments, np.repeat(moments[1::2], 2), strict=True):
        assert abs(value - right) < 0.12 * spread
    for estimate, right in zip(estimates, (log_evidence, plain_evidence), strict=True):
        assert abs(estimate - right) < 4 * estimate.standard_error + 0.01
    assert estimates[0] - estimates[1] > 9
    picture(model, other)


def picture(model, other):
    figure, axes = plt.subplots(figsize=(6.4, 4))
    places = np.arange(8)
    axes.bar(places, np.bincount(COUNTS.astype(int), minlength=8), color=figures.PALE, width=0.85, label="seen")
    for shift, fitted, colour, label in (
        (-0.15, model, figures.BLUE, "zero-inflated"),
        (0.15, other, figures.CORAL, "plain"),
    ):
        new = fitted.posterior_predictive("moves", size=len(COUNTS)).sample(500, seed=1)
        seen = np.stack([(new == place).sum(1) for place in places], axis=1)
        low, middle, high = np.quantile(seen, [0.05, 0.5, 0.95], axis=0)
        axes.errorbar(places + shift, middle, [middle - low, high - middle], fmt="o", color=colour, label=label)
    axes.set(
        title="Movements of a foetal lamb", xlabel="movements in five seconds", ylabel="intervals", yscale="symlog"
    )
    axes.legend()
    figures.save(figure, "zero_inflated.png")


if __name__ == "__main__":
    main()
