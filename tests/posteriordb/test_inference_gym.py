"""Two targets of TFP's Inference Gym, whose means are known from long runs of Stan."""

import json

import numpy as np
import pytest
from posteriordb.inference_gym import TARGETS
from posteriordb.posterior import Posterior
from posteriordb.test_posteriordb import compare_densities

import kprob
from kprob.diagnostics import mcse_mean


@pytest.mark.parametrize("name", TARGETS)
def test_log_density(name, requires_shared):
    model, load, near, log_density, quantities = TARGETS[name]
    data = load(requires_shared("inference_gym"))
    compare_densities(Posterior(name, lambda d: model(), dict, near, log_density, quantities), data)


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_draws(name, requires_shared):
    model, load, _, _, quantities = TARGETS[name]
    folder = requires_shared("inference_gym")
    data = load(folder)
    model = model().compile(kprob.NUTS(block_size=500, target_accept_rate=0.9))
    model.fit(data, verbose=0)
    found = quantities(model.draws.values)
    for key, right in json.loads((folder / name / "reference.json").read_text()).items():
        draws = found[key].astype("float64")
        error = np.hypot(mcse_mean(draws), right["mean_se"])
        bound = 0.1 * np.asarray(right["sd"]) + 4 * error
        assert (np.abs(draws.mean((0, 1)) - right["mean"]) < bound).all(), key
