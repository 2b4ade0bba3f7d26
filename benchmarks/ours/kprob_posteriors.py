"""Case (h)'s posteriors written with kprob."""

import keras

import kprob
from kprob import layers, tfd

ops = keras.ops


class Logistic(kprob.ProbabilisticModel):
    """Logistic regression."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.bias = layers.Normal(loc=0.0, scale=1.0)
        self.coefficients = layers.Normal(20, loc=0.0, scale=1.0)
        self.label = layers.Bernoulli()

    def generative(self, x):
        """p"""
        bias, coefficients = self.bias(), self.coefficients()
        with kprob.plate("data"):
            self.label(logits=ops.matmul(x, coefficients) + bias)


@kprob.probmodel
def schools(sigma):
    """Eight schools, non-centred."""
    mu = kprob.sample("mu", tfd.Normal(0.0, 5.0))
    tau = kprob.sample("tau", tfd.HalfCauchy(0.0, 5.0))
    with kprob.plate("data"):
        z = kprob.sample("z", tfd.Normal(0.0, 1.0))
        kprob.sample("y", tfd.Normal(mu + tau * z, sigma))


@kprob.probmodel
def ruggedness(x):
    """Linear regression with an unknown precision."""
    weights = kprob.sample("weights", tfd.Sample(tfd.Normal(0.0, 1.0), 3))
    bias = kprob.sample("bias", tfd.Normal(0.0, 1000.0))
    precision = kprob.sample("precision", tfd.Gamma(1.0, 1.0))
    with kprob.plate("data"):
        kprob.sample("y", tfd.Normal(ops.matmul(x, weights) + bias, ops.rsqrt(precision)))


@kprob.probmodel
def groups(x, group):
    """Linear regression in 100 groups, each with an intercept and a slope of its own."""
    means = kprob.sample("means", tfd.Sample(tfd.Normal(0.0, 1.0), 2))
    scales = kprob.sample("scales", tfd.Sample(tfd.HalfNormal(1.0), 2))
    noise = kprob.sample("noise", tfd.HalfNormal(1.0))
    with kprob.plate("groups", 100):
        intercept = kprob.sample("intercept", tfd.Normal(means[0], scales[0]))
        slope = kprob.sample("slope", tfd.Normal(means[1], scales[1]))
    index = ops.cast(group, "int32")
    with kprob.plate("data"):
        kprob.sample("y", tfd.Normal(ops.take(intercept, index) + ops.take(slope, index) * x, noise))


@kprob.probmodel
def volatility():
    """Stochastic volatility: returns whose log-scale is a random walk (Hoffman and Gelman 2014)."""
    sigma = kprob.sample("sigma", tfd.Exponential(50.0))
    nu = kprob.sample("nu", tfd.Exponential(0.1))
    with kprob.plate("data"):
        z = kprob.sample("z", tfd.Normal(0.0, 1.0))
        kprob.sample("r", tfd.StudentT(nu, 0.0, ops.exp(ops.cumsum(sigma * z))))


MODELS = {
    "logistic": Logistic,
    "schools": schools,
    "ruggedness": ruggedness,
    "groups": groups,
    "volatility": volatility,
}
