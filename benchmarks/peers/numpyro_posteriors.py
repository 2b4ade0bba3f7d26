"""Case (h)'s posteriors written with NumPyro."""

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist


def logistic(x, label):
    """Logistic regression."""
    bias = numpyro.sample("bias", dist.Normal(0.0, 1.0))
    coefficients = numpyro.sample("coefficients", dist.Normal(0.0, 1.0).expand([20]).to_event(1))
    with numpyro.plate("data", x.shape[0]):
        numpyro.sample("label", dist.Bernoulli(logits=x @ coefficients + bias), obs=label)


def schools(sigma, y):
    """Eight schools, non-centred."""
    mu = numpyro.sample("mu", dist.Normal(0.0, 5.0))
    tau = numpyro.sample("tau", dist.HalfCauchy(5.0))
    with numpyro.plate("data", y.shape[0]):
        z = numpyro.sample("z", dist.Normal(0.0, 1.0))
        numpyro.sample("y", dist.Normal(mu + tau * z, sigma), obs=y)


def ruggedness(x, y):
    """Linear regression with an unknown precision."""
    weights = numpyro.sample("weights", dist.Normal(0.0, 1.0).expand([3]).to_event(1))
    bias = numpyro.sample("bias", dist.Normal(0.0, 1000.0))
    precision = numpyro.sample("precision", dist.Gamma(1.0, 1.0))
    with numpyro.plate("data", x.shape[0]):
        numpyro.sample("y", dist.Normal(x @ weights + bias, 1.0 / jnp.sqrt(precision)), obs=y)


def groups(x, group, y):
    """Linear regression in 100 groups, each with an intercept and a slope of its own."""
    means = numpyro.sample("means", dist.Normal(0.0, 1.0).expand([2]).to_event(1))
    scales = numpyro.sample("scales", dist.HalfNormal(1.0).expand([2]).to_event(1))
    noise = numpyro.sample("noise", dist.HalfNormal(1.0))
    with numpyro.plate("groups", 100):
        intercept = numpyro.sample("intercept", dist.Normal(means[0], scales[0]))
        slope = numpyro.sample("slope", dist.Normal(means[1], scales[1]))
    index = group.astype("int32")
    with numpyro.plate("data", x.shape[0]):
        numpyro.sample("y", dist.Normal(intercept[index] + slope[index] * x, noise), obs=y)


def volatility(r):
    """Stochastic volatility: returns whose log-scale is a random walk (Hoffman and Gelman 2014)."""
    sigma = numpyro.sample("sigma", dist.Exponential(50.0))
    nu = numpyro.sample("nu", dist.Exponential(0.1))
    with numpyro.plate("data", r.shape[0]):
        z = numpyro.sample("z", dist.Normal(0.0, 1.0))
        numpyro.sample("r", dist.StudentT(nu, 0.0, jnp.exp(jnp.cumsum(sigma * z))), obs=r)


MODELS = {
    "logistic": logistic,
    "schools": schools,
    "ruggedness": ruggedness,
    "groups": groups,
    "volatility": volatility,
}
