"""Linear regressions, autoregression and logistic regression."""

import numpy as np
from keras import ops
from posteriordb.posterior import FLAT, Posterior
from scipy import stats

import kprob
from kprob import layers, tfd


class Regression(kprob.ProbabilisticModel):
    """y_i ~ N(x_i · β, σ) under flat priors."""

    def __init__(self, num_features, **kwargs):
        super().__init__(**kwargs)
        self.beta = layers.Normal(num_features, loc=0.0, scale=FLAT)
        self.sigma = layers.HalfNormal(scale=FLAT)
        self.y = layers.Normal()

    def generative(self, x):
        beta, sigma = self.beta(), self.sigma()
        with kprob.plate("data"):
            self.y(loc=ops.matmul(x, beta), scale=sigma)


class KidScore(Regression):
    """The same, σ ~ HalfCauchy(2.5)."""

    def __init__(self, num_features, **kwargs):
        super().__init__(num_features, **kwargs)
        self.sigma = layers.HalfCauchy(scale=2.5)


class BayesianRegression(Regression):
    """The same, β ~ N(0, 10), σ ~ HalfNormal(10)."""

    def __init__(self, num_features, **kwargs):
        super().__init__(num_features, **kwargs)
        self.beta = layers.Normal(num_features, loc=0.0, scale=10.0)
        self.sigma = layers.HalfNormal(scale=10.0)


@kprob.probmodel
def autoregression(x):
    alpha = kprob.sample("alpha", tfd.Normal(0.0, 10.0))
    beta = kprob.sample("beta", tfd.Sample(tfd.Normal(0.0, 10.0), 5))
    sigma = kprob.sample("sigma", tfd.HalfCauchy(0.0, 2.5))
    with kprob.plate("data"):
        kprob.sample("y", tfd.Normal(alpha + ops.matmul(x, beta), sigma))


class Temperature(kprob.ProbabilisticModel):
    """Summer temperatures of Kilpisjärvi: α and β are almost perfectly correlated, since years aren't centred."""

    def __init__(self, alpha_loc, alpha_scale, beta_loc, beta_scale, **kwargs):
        super().__init__(**kwargs)
        self.alpha = layers.Normal(loc=alpha_loc, scale=alpha_scale)
        self.beta = layers.Normal(loc=beta_loc, scale=beta_scale)
        self.sigma = layers.HalfNormal(scale=FLAT)
        self.y = layers.Normal()

    def generative(self, x):
        alpha, beta, sigma = self.alpha(), self.beta(), self.sigma()
        with kprob.plate("data"):
            self.y(loc=alpha + beta * x, scale=sigma)


@kprob.probmodel
def dogs(avoided, shocked):
    beta = kprob.sample("beta", tfd.Independent(tfd.Uniform([-100.0, 0.0], [0.0, 100.0]), 1))
    with kprob.plate("data"):
        kprob.sample("y", tfd.Bernoulli(logits=beta[0] * avoided + beta[1] * shocked))


def log_regression(values, data):
    """The likelihood of a linear regression, which is its density under flat priors."""
    return stats.norm.logpdf(data["y"], data["x"] @ values["beta"], values["sigma"]).sum()


def log_kid_score(values, data):
    return log_regression(values, data) + stats.halfcauchy.logpdf(values["sigma"], scale=2.5)


def log_bayesian(values, data):
    prior = stats.norm.logpdf(values["beta"], 0, 10).sum() + stats.halfnorm.logpdf(values["sigma"], scale=10)
    return log_regression(values, data) + prior


def log_autoregression(values, data):
    prior = stats.norm.logpdf(values["alpha"], 0, 10) + stats.norm.logpdf(values["beta"], 0, 10).sum()
    prior += stats.halfcauchy.logpdf(values["sigma"], scale=2.5)
    return prior + stats.norm.logpdf(data["y"], values["alpha"] + data["x"] @ values["beta"], values["sigma"]).sum()


def log_temperature(values, data):
    prior = stats.norm.logpdf(values["alpha"], 9.31290322580645, 100) + stats.norm.logpdf(values["beta"], 0, 1 / 30)
    return prior + stats.norm.logpdf(data["y"], values["alpha"] + values["beta"] * data["x"], values["sigma"]).sum()


def log_dogs(values, data):
    logits = values["beta"][0] * data["avoided"] + values["beta"][1] * data["shocked"]
    return np.sum(data["y"] * logits - np.logaddexp(0, logits))


def columns(target, *names, log=False):
    """Returns what makes data of a file's columns: an intercept and then those named, or made by functions."""

    def make(file):
        file = {name: np.asarray(value, "float64") for name, value in file.items()}
        change = np.log if log else np.asarray
        found = [name(file) if callable(name) else change(file[name]) for name in names]
        return {"x": np.stack([np.ones_like(found[0]), *found], axis=1), "y": target(file)}

    return make


def is_level(name, level):
    return lambda file: (file[name] == level).astype("float64")


def lags(file):
    y = np.asarray(file["y"])
    return {"x": np.stack([y[5 - k : len(y) - k] for k in range(1, 6)], axis=1), "y": y[5:]}


def trials(file):
    y = np.asarray(file["y"], "float64")
    before = np.cumsum(y, axis=1) - y  # shocks so far; all other trials were avoided
    return {"shocked": before.ravel(), "avoided": (np.arange(y.shape[1]) - before).ravel(), "y": y.ravel()}


def flat(name, data, near, model=Regression, density=log_regression, **options):
    beta, sigma = near
    return Posterior(
        name, lambda d: model(d["x"].shape[1]), data, {"beta": beta, "sigma": sigma}, density, options=options
    )


def log_earnings(file):
    return np.log(file["earn"])


def volume(file):
    return np.log(file["diam1"] * file["diam2"] * file["canopy_height"])


SHRUB = ("diam1", "diam2", "canopy_height", "total_height", "density")
AGES = tuple(is_level("age_discrete", level) for level in (2, 3, 4))
NES = columns(lambda f: f["partyid7"], "real_ideo", "race_adj", *AGES, "educ1", "gender", "income")
KID = columns(lambda f: f["kid_score"], "mom_iq")
KID_INTERACTION = columns(lambda f: f["kid_score"], "mom_hs", "mom_iq", lambda f: f["mom_hs"] * f["mom_iq"])
KID_WORK = columns(lambda f: f["kid_score"], *(is_level("mom_work", level) for level in (2, 3, 4)))
EARNINGS = columns(log_earnings, "height", "male", lambda f: f["height"] * f["male"])
LOG_SHRUB = columns(
    lambda f: np.log(f["weight"]), *((lambda f, n=n: np.log(f[n])) for n in SHRUB), lambda f: f["group"]
)

POSTERIORS = (
    flat("earnings-logearn_height", columns(log_earnings, "height"), ([5.8, 0.06], 0.9), dense_mass=True),
    flat("earnings-logearn_interaction", EARNINGS, ([8.4, 0.017, -0.08, 0.007], 0.88), dense_mass=True),
    flat("kidiq-kidscore_momiq", KID, ([26.0, 0.61], 18.3), KidScore, log_kid_score, dense_mass=True),
    flat("kidiq-kidscore_interaction", KID_INTERACTION, ([-11.0, 51.0, 0.97, -0.48], 18.0), KidScore, log_kid_score,
         dense_mass=True),
    flat("kidiq_with_mom_work-kidscore_mom_work", KID_WORK, ([82.0, 3.9, 11.5, 5.2], 20.3)),
    flat("mesquite-mesquite", columns(lambda f: f["weight"], *SHRUB, "group"),
         ([-727.0, 187.0, 374.0, 356.0, -102.0, 132.0, -365.0], 278.0)),
    flat("mesquite-logmesquite", LOG_SHRUB, ([5.35, 0.4, 1.15, 0.38, 0.39, 0.11, -0.59], 0.34)),
    flat("mesquite-logmesquite_logvolume", columns(lambda f: np.log(f["weight"]), volume), ([5.17, 0.72], 0.43)),
    flat("nes1976-nes", NES, ([0.98, 0.59, -1.1, -0.04, -0.06, 0.45, 0.28, 0.13, 0.17], 1.79)),
    flat("nes2000-nes", NES, ([0.8, 0.79, -1.08, -0.45, -0.72, -0.48, 0.25, -0.09, 0.24], 1.79)),
    flat("sblrc-blr", lambda f: {"x": np.asarray(f["X"]), "y": np.asarray(f["y"])}, ([1.0] * 5, 1.04),
         BayesianRegression, log_bayesian, dense_mass=True),
    Posterior(
        "arK-arK", lambda d: autoregression(), lags,
        {"alpha": 0.0, "beta": [0.69, 0.44, 0.11, -0.04, -0.3], "sigma": 0.15}, log_autoregression,
    ),
    Posterior(
        "kilpisjarvi_mod-kilpisjarvi", lambda d: Temperature(9.31290322580645, 100.0, 0.0, 1 / 30),
        lambda f: {"x": np.asarray(f["x"], "float64"), "y": np.asarray(f["y"])},
        {"alpha": -60.7, "beta": 0.0176, "sigma": 1.13}, log_temperature, options={"dense_mass": True},
    ),
    Posterior("dogs-dogs_log", lambda d: dogs(), trials, {"beta": [-0.36, 0.06]}, log_dogs),
)  # fmt: skip
