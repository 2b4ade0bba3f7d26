"""Simulation-based calibration of samplers: of a regression and a hierarchy, and of what is broken on purpose."""

import time

import keras
import numpy as np
import pytest

import kprob
from kprob import layers, tfd
from kprob.diagnostics import sbc

ops = keras.ops
X = np.random.default_rng(3).normal(size=(20, 2)).astype("float32")
GROUPS, MEMBERS = 6, 4
SIMULATIONS, DRAWS = 200, 19
SAMPLERS = {
    "NUTS": lambda: kprob.NUTS(300, 400, 1, block_size=700),
    "MCLMC": lambda: kprob.samplers.MCLMC(500, 2000, 1, block_size=2500),
}


class Regression(kprob.ProbabilisticModel):
    """y ~ N(Xw + b, sigma); where it is broken, a term is in the density that the prior draws know nothing of."""

    def __init__(self, broken=False, **kwargs):
        super().__init__(**kwargs)
        self.broken, self.runs = broken, 0
        self.w = layers.Normal(2, loc=0.0, scale=1.0)
        self.b = layers.Normal(loc=0.0, scale=2.0)
        self.sigma = layers.LogNormal(loc=-0.5, scale=0.5)
        self.y = layers.Normal()

    def generative(self, features):
        self.__dict__["runs"] = self.runs + 1
        w, b, sigma = self.w(), self.b(), self.sigma()
        if self.broken:  # a Jacobian too many
            kprob.factor("slip", 4.0 * ops.log(sigma))
        with kprob.plate("data"):
            self.y(loc=ops.matmul(features, w) + b, scale=sigma)


@kprob.probmodel
def hierarchy():
    """Groups' means about a common one, in the non-centred form; a tenth of the data is enough to know the spread by."""
    mean = kprob.sample("mean", tfd.Normal(0.0, 1.0))
    spread = kprob.sample("spread", tfd.LogNormal(0.0, 0.5))
    with kprob.plate("groups", GROUPS):
        unit = kprob.sample("unit", tfd.Normal(0.0, 1.0))
        group = kprob.deterministic("group", mean + spread * unit)
        with kprob.plate("members", MEMBERS):
            kprob.sample("y", tfd.Normal(group[:, None], 1.0))


class Tempered(kprob.NUTS):
    """Samples the square root of the density, by mistake."""

    def kernel(self, log_density):
        return super().kernel(lambda vector: 0.5 * log_density(vector))


def calibrate(model, sampler, number=SIMULATIONS, **options):
    start = time.perf_counter()
    found = sbc(model.compile(sampler), number, DRAWS, observed="y", seed=1, verbose=False, **options)
    print(f"\n{time.perf_counter() - start:.1f} s\n{found}")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLERS)
def test_ranks_of_the_regression_are_uniform(name):
    model = Regression()
    found = calibrate(model, SAMPLERS[name](), data={"features": X})
    assert set(found.ranks) == {"w", "b", "sigma"} and found.num_simulations == SIMULATIONS
    assert found.uniform(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLERS)
def test_ranks_of_the_hierarchy_are_uniform(name):
    found = calibrate(hierarchy(), SAMPLERS[name](), sites=["mean", "spread", "group"])
    assert found.ranks["group"].shape == (SIMULATIONS, GROUPS)
    assert found.uniform(0.01)


@pytest.mark.slow
def test_what_is_broken_is_found_out():
    wrong_model = calibrate(Regression(broken=True), SAMPLERS["NUTS"](), data={"features": X})
    assert wrong_model.p_values["sigma"] < 1e-3
    wrong_sampler = calibrate(Regression(), Tempered(300, 400, 1, block_size=700), data={"features": X})
    assert wrong_sampler.min_p_value < 1e-3 and "too wide" in str(wrong_sampler)


def test_new_data_runs_the_same_program_and_leaves_the_draws():
    model = Regression().compile(kprob.NUTS(20, 20, 1, block_size=40))
    model.fit({"features": X, "y": X[:, 0]}, verbose=0)
    draws, programs = model.draws, dict(model.networks.programs.entries)
    options = {"data": {"features": X}, "observed": "y", "verbose": False}
    sbc(model, 2, 5, **options)
    runs = []
    for number in (2, 6):
        before = model.runs
        sbc(model, number, 5, **options)
        runs.append(model.runs - before)
    assert model.draws is draws
    assert all(model.networks.programs.entries[key] is program for key, program in programs.items())
    # A few runs for each simulation to look at the data; tracing the sampler anew would take dozens.
    assert (runs[1] - runs[0]) / 4 <= 6, runs
