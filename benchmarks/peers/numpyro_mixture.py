"""NumPyro's mixture with the sum written by hand, as `MixtureSameFamily`: the fastest that a user of it can have."""

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.infer import SVI, Trace_ELBO

from benchmarks import problems
from benchmarks.contestant import Measurement


def parameters() -> tuple:
    """means, scales and weights"""
    number = problems.MIXTURE_COMPONENTS
    means = numpyro.param("means", jnp.array(problems.mixture_means()))
    scales = numpyro.param("scales", jnp.ones(number), constraint=dist.constraints.positive)
    weights = numpyro.param("weights", jnp.full(number, 1 / number), constraint=dist.constraints.simplex)
    return means, scales, weights


def model(data):
    """The data, labels summed out by hand."""
    means, scales, weights = parameters()
    with numpyro.plate("data", data.shape[0]):
        mixture = dist.MixtureSameFamily(dist.Categorical(weights), dist.Normal(means, scales))
        numpyro.sample("x", mixture, obs=data)


def guide(data):
    """There are no latents left."""
    del data


def steps(svi: SVI):
    """Returns a function that runs all steps, compiled, and returns the last loss per datum."""
    data = jax.device_put(problems.mixture_data())
    state = svi.init(jax.random.key(0), data)

    @jax.jit
    def loop(state):
        return jax.lax.fori_loop(0, problems.MIXTURE_STEPS, lambda _, s: svi.update(s[0], data), (state, 0.0))

    return lambda: float(loop(state)[1]) / problems.MIXTURE_ROWS


def new_steps():
    """Returns the steps of this problem."""
    return steps(SVI(model, guide, numpyro.optim.Adam(problems.MIXTURE_LEARNING_RATE), Trace_ELBO()))


def prepare() -> dict[str, Measurement]:
    """Returns the compiled loop, counted by its steps."""
    return {"sum by hand": Measurement(new_steps(), problems.MIXTURE_STEPS)}


def first_result() -> float:
    """Builds, compiles and runs all steps."""
    return new_steps()()
