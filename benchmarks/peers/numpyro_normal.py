"""NumPyro's fit of a normal's mean and scale: `svi.run`, and its bare compiled loop."""

import jax
import numpyro
import numpyro.distributions as dist
from numpyro.infer import SVI, Trace_ELBO
from numpyro.infer.autoguide import AutoNormal

from benchmarks import problems
from benchmarks.contestant import Measurement


def model(data):
    """loc, scale and the data"""
    loc = numpyro.sample("loc", dist.Normal(0.0, problems.NORMAL_PRIOR_SCALE))
    scale = numpyro.sample("scale", dist.HalfNormal(problems.NORMAL_PRIOR_SCALE))
    with numpyro.plate("data", data.shape[0]):
        numpyro.sample("x", dist.Normal(loc, scale), obs=data)


def new_svi() -> SVI:
    """Returns the SVI object of the problem."""
    optimizer = numpyro.optim.Adam(problems.NORMAL_LEARNING_RATE)
    return SVI(model, AutoNormal(model), optimizer, Trace_ELBO())


def prepare() -> dict[str, Measurement]:
    """Returns `svi.run` and the bare loop."""
    data = jax.device_put(problems.normal_data())
    svi = new_svi()
    state = svi.init(jax.random.key(0), data)

    def step(_, carry):
        return svi.update(carry[0], data)

    @jax.jit
    def loop(state):
        return jax.lax.fori_loop(0, problems.NORMAL_STEPS, step, (state, 0.0))

    return {
        "svi.run": Measurement(lambda: run(svi, data)),
        "bare loop": Measurement(lambda: float(loop(state)[1]) / problems.NORMAL_ROWS),
    }


def run(svi: SVI, data: jax.Array) -> float:
    """Runs all steps by `svi.run`."""
    result = svi.run(jax.random.key(0), problems.NORMAL_STEPS, data, progress_bar=False)
    return float(result.losses[-1]) / problems.NORMAL_ROWS


def first_result() -> float:
    """Builds, compiles and runs all steps."""
    return run(new_svi(), jax.device_put(problems.normal_data()))
