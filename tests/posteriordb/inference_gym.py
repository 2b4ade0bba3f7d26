"""Two targets of TFP's Inference Gym."""

import numpy as np
from keras import ops
from scipy import stats

import kprob
from kprob import layers, tfd


class GymSchools(kprob.ProbabilisticModel):
    """Eight schools under other priors, non-centred."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.avg_effect = layers.Normal(loc=0.0, scale=10.0)
        self.log_stddev = layers.Normal(loc=5.0, scale=1.0)
        self.z = layers.Normal(loc=0.0, scale=1.0)
        self.y = layers.Normal()

    def generative(self, sigma):
        mean, log_stddev = self.avg_effect(), self.log_stddev()
        with kprob.plate("schools", 8):
            self.y(loc=mean + ops.exp(log_stddev) * self.z(), scale=sigma)


def schools(folder):
    del folder
    return {
        "y": np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0]),
        "sigma": np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0]),
    }


def log_schools(values, data):
    effects = values["avg_effect"] + np.exp(values["log_stddev"]) * values["z"]
    prior = stats.norm.logpdf(values["avg_effect"], 0, 10) + stats.norm.logpdf(values["log_stddev"], 5, 1)
    return prior + stats.norm.logpdf(values["z"]).sum() + stats.norm.logpdf(data["y"], effects, data["sigma"]).sum()


def schools_again(values):
    effects = values["avg_effect"][..., None] + np.exp(values["log_stddev"])[..., None] * values["z"]
    return {"avg_effect": values["avg_effect"], "log_stddev": values["log_stddev"], "school_effects": effects}


@kprob.probmodel
def credit(x):
    w = kprob.sample("w", tfd.Sample(tfd.Normal(0.0, 1.0), 25))
    with kprob.plate("data"):
        kprob.sample("bad", tfd.Bernoulli(logits=ops.matmul(x, w)))


def credits(folder):
    table = np.loadtxt(folder / "data_german_credit_numeric.csv", delimiter=",", skiprows=1)
    x = (table[:, :-1] - table[:, :-1].mean(0)) / table[:, :-1].std(0)
    return {"x": np.c_[x, np.ones(len(x))], "bad": table[:, -1]}


def log_credit(values, data):
    logits = data["x"] @ values["w"]
    return stats.norm.logpdf(values["w"]).sum() + np.sum(data["bad"] * logits - np.logaddexp(0, logits))


def credit_again(values):
    return {"value": values["w"]}


# By folder: model, data, values where the posterior is dense, density by hand, quantities by the reference's names.
TARGETS = {
    "eight_schools": (
        GymSchools,
        schools,
        {"avg_effect": 5.8, "log_stddev": 2.4, "z": [0.5] * 8},
        log_schools,
        schools_again,
    ),
    "german_credit_numeric_logistic_regression": (credit, credits, {"w": [0.1] * 25}, log_credit, credit_again),
}
