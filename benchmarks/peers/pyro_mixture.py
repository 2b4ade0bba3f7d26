"""Pyro's mixture with its labels enumerated: SVI's step in a Python loop."""

import pyro
import pyro.distributions as dist
import torch
from pyro.infer import SVI, TraceEnum_ELBO, config_enumerate

from benchmarks import problems
from benchmarks.contestant import Measurement

STEPS_TIMED = 3


@config_enumerate
def model(data):
    """means, scales, weights, labels and the data"""
    number = problems.MIXTURE_COMPONENTS
    means = pyro.param("means", torch.from_numpy(problems.mixture_means()))
    scales = pyro.param("scales", torch.ones(number), constraint=dist.constraints.positive)
    weights = pyro.param("weights", torch.full((number,), 1 / number), constraint=dist.constraints.simplex)
    with pyro.plate("data", data.shape[0]):
        label = pyro.sample("label", dist.Categorical(weights))
        pyro.sample("x", dist.Normal(means[label], scales[label]), obs=data)


def new_svi() -> SVI:
    """Returns the SVI object of the problem."""
    pyro.enable_validation(False)  # off as in NumPyro; Pyro's documentation advises it for speed
    pyro.clear_param_store()
    optimizer = pyro.optim.Adam({"lr": problems.MIXTURE_LEARNING_RATE})
    return SVI(model, lambda data: None, optimizer, TraceEnum_ELBO(max_plate_nesting=1))


def run(svi: SVI, data: torch.Tensor, steps: int) -> float:
    """Runs `steps` steps and returns the last loss per datum."""
    for _ in range(steps):
        loss = svi.step(data)
    return loss / problems.MIXTURE_ROWS


def prepare() -> dict[str, Measurement]:
    """Returns the steps."""
    svi, data = new_svi(), torch.from_numpy(problems.mixture_data())
    return {"TraceEnum_ELBO": Measurement(lambda: run(svi, data, STEPS_TIMED), STEPS_TIMED)}


def first_result() -> float:
    """Builds and runs all steps."""
    return run(new_svi(), torch.from_numpy(problems.mixture_data()), STEPS_TIMED)
