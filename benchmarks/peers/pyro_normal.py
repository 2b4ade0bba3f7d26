"""Pyro's fit of a normal's mean and scale: SVI's step in a Python loop."""

import pyro
import pyro.distributions as dist
import torch
from pyro.infer import SVI, Trace_ELBO
from pyro.infer.autoguide import AutoNormal

from benchmarks import problems
from benchmarks.contestant import Measurement

STEPS_TIMED = 200  # a tenth of the fit: every step costs the same


def model(data):
    """loc, scale and the data"""
    loc = pyro.sample("loc", dist.Normal(0.0, problems.NORMAL_PRIOR_SCALE))
    scale = pyro.sample("scale", dist.HalfNormal(problems.NORMAL_PRIOR_SCALE))
    with pyro.plate("data", data.shape[0]):
        pyro.sample("x", dist.Normal(loc, scale), obs=data)


def new_svi() -> SVI:
    """Returns the SVI object of the problem."""
    pyro.enable_validation(False)  # off as in NumPyro; Pyro's documentation advises it for speed
    pyro.clear_param_store()
    pyro.set_rng_seed(0)
    torch.set_num_threads(1)  # arrays this small only lose by being shared out
    optimizer = pyro.optim.Adam({"lr": problems.NORMAL_LEARNING_RATE})
    return SVI(model, AutoNormal(model), optimizer, Trace_ELBO())


def run(svi: SVI, data: torch.Tensor, steps: int) -> float:
    """Runs `steps` steps and returns the last loss per datum."""
    for _ in range(steps):
        loss = svi.step(data)
    return loss / problems.NORMAL_ROWS


def prepare() -> dict[str, Measurement]:
    """Returns the steps, counted as the whole fit."""
    svi = new_svi()
    data = torch.from_numpy(problems.normal_data())
    run(svi, data, problems.NORMAL_STEPS)
    share = STEPS_TIMED / problems.NORMAL_STEPS
    return {"svi.step": Measurement(lambda: run(svi, data, STEPS_TIMED), share)}


def first_result() -> float:
    """Builds and runs all steps."""
    return run(new_svi(), torch.from_numpy(problems.normal_data()), problems.NORMAL_STEPS)
