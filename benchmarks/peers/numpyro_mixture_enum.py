"""NumPyro's mixture with its labels enumerated by funsor."""

import numpyro
import numpyro.distributions as dist
from numpyro.contrib.funsor import config_enumerate
from numpyro.infer import SVI, TraceEnum_ELBO

from benchmarks import problems
from benchmarks.contestant import Measurement
from benchmarks.peers.numpyro_mixture import guide, parameters, steps


@config_enumerate
def model(data):
    """labels and the data"""
    means, scales, weights = parameters()
    with numpyro.plate("data", data.shape[0]):
        label = numpyro.sample("label", dist.Categorical(weights))
        numpyro.sample("x", dist.Normal(means[label], scales[label]), obs=data)


def new_steps():
    """Returns the steps of this problem."""
    optimizer = numpyro.optim.Adam(problems.MIXTURE_LEARNING_RATE)
    return steps(SVI(model, guide, optimizer, TraceEnum_ELBO(max_plate_nesting=1)))


def prepare() -> dict[str, Measurement]:
    """Returns the compiled loop, counted by its steps."""
    return {"TraceEnum_ELBO": Measurement(new_steps(), problems.MIXTURE_STEPS)}


def first_result() -> float:
    """Builds, compiles and runs all steps."""
    return new_steps()()
