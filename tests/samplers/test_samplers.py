"""Every sampler through `compile` and `fit`: the right answer, queries, saving, going on."""

import keras
import numpy as np
import pytest

import kprob
from kprob import tfd
from kprob.errors import CompileError

TEMP, SD = 17.4, 0.894427


@kprob.probmodel
def temperature():
    temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
    kprob.sample("sensor", tfd.Normal(temp, 1.0))


@kprob.probmodel
def unknown_mean():
    mu = kprob.sample("mu", tfd.Normal(0.0, 10.0))
    with kprob.plate("data"):
        kprob.sample("x", tfd.Normal(mu, 1.0))


@kprob.probmodel
def gaussian():
    scales = np.logspace(-1, 1, 20).astype("float32")  # a condition number of 100
    kprob.sample("x", tfd.Independent(tfd.Normal(np.zeros(20, "float32"), scales), 1))


# Settings, and how far the mean and the standard deviation may be off: four standard errors or so.
SAMPLERS = {
    "MALA": (kprob.samplers.MALA(400, 1500, 2, block_size=500), 0.08),
    "RandomWalkMetropolis": (kprob.samplers.RandomWalkMetropolis(400, 4000, 2, block_size=500), 0.12),
    "Slice": (kprob.samplers.Slice(300, 1500, 2, block_size=500), 0.08),
    "MCLMC": (kprob.samplers.MCLMC(400, 1500, 2, block_size=500), 0.08),
    "AdjustedMCLMC": (kprob.samplers.AdjustedMCLMC(400, 1500, 2, block_size=500), 0.08),
    "ChEES": (kprob.samplers.ChEES(200, 100, 32), 0.06),
    "SGLD": (kprob.samplers.SGLD(200, 6000, 2, step_size=0.1, block_size=1000), 0.12),
    "SGHMC": (kprob.samplers.SGHMC(200, 6000, 2, step_size=0.01, block_size=1000), 0.12),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_temperature(name, tmp_path):
    sampler, tolerance = SAMPLERS[name]
    model = temperature().compile(sampler)
    history = model.fit({"sensor": 18.0}, verbose=0)
    draws = model.posterior("temp").sample(2000, seed=1)
    total = sampler.num_chains * sampler.num_samples
    assert history.history["draws"][-1] == total
    everything = model.draws.values["temp"]
    assert everything.mean() == pytest.approx(TEMP, abs=tolerance)
    assert everything.std() == pytest.approx(SD, abs=tolerance)
    assert draws.mean() == pytest.approx(TEMP, abs=2 * tolerance)
    predicted = model.posterior_predictive("sensor").sample(2000, seed=2)
    assert predicted.std() == pytest.approx((SD**2 + 1.0) ** 0.5, abs=0.12)
    model.save(tmp_path / "model.h5")
    again = kprob.load_model(tmp_path / "model.h5", custom_objects={"temperature": temperature})
    assert again.sampler.get_config() == sampler.get_config()
    assert np.array_equal(again.posterior("temp").sample(5, seed=3), model.posterior("temp").sample(5, seed=3))


@pytest.mark.parametrize("name", ["MCLMC", "AdjustedMCLMC", pytest.param("ChEES", marks=pytest.mark.slow)])
def test_condition_number_of_100(name):
    numbers = (400, 100, 32) if name == "ChEES" else (500, 1000, 2)
    sampler = getattr(kprob.samplers, name)(*numbers, block_size=500)
    model = gaussian().compile(sampler)
    model.fit({}, verbose=0)
    standard = model.draws.values["x"] / np.logspace(-1, 1, 20)
    assert np.abs(standard.mean(axis=(0, 1))).max() < 0.15
    assert np.abs(standard.std(axis=(0, 1)) - 1.0).max() < 0.12
    assert kprob.diagnostics.ess_bulk(model.draws.positions).min() > 400


@pytest.mark.parametrize(("name", "step_size"), [("SGLD", 4e-5), pytest.param("SGHMC", 2e-6, marks=pytest.mark.slow)])
def test_minibatches_find_the_posterior_of_all_rows(name, step_size):
    x = np.random.default_rng(0).normal(3.0, 1.0, 1000)
    model = unknown_mean().compile(getattr(kprob.samplers, name)(500, 5000, 2, step_size=step_size, block_size=500))
    model.fit({"x": x}, batch_size=250, verbose=0)
    draws = model.draws.values["mu"]
    # Without its scale up to all rows, a batch's likelihood would give twice the standard deviation.
    assert draws.mean() == pytest.approx(x.mean(), abs=0.012)
    assert draws.std() == pytest.approx(1000**-0.5, rel=0.2)


def test_rows_with_latents_of_their_own_have_no_minibatches():
    @kprob.probmodel
    def local():
        with kprob.plate("data"):
            z = kprob.sample("z", tfd.Normal(0.0, 1.0))
            kprob.sample("x", tfd.Normal(z, 1.0))

    with pytest.raises(CompileError, match="latents in the data plate: z"):
        local().compile(kprob.samplers.SGLD()).fit({"x": np.zeros(10)}, batch_size=5, verbose=0)


def test_other_samplers_have_no_use_for_batch_size():
    with pytest.raises(CompileError, match="no use for `batch_size`"):
        unknown_mean().compile(kprob.samplers.MALA()).fit({"x": np.zeros(10)}, batch_size=5, verbose=0)


def test_another_sampler_begins_anew():
    model = temperature().compile(kprob.samplers.RandomWalkMetropolis(0, 5, 1))
    model.fit({"sensor": 18.0}, verbose=0)
    model.compile(kprob.samplers.RandomWalkMetropolis(0, 7, 1)).fit({"sensor": 18.0}, verbose=0)
    assert model.draws.num_draws == 12
    model.compile(kprob.samplers.SGLD(0, 3, 1)).fit({"sensor": 18.0}, verbose=0)
    assert model.draws.num_draws == 3


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: kprob.samplers.MALA(step_size=-1.0), "`step_size` must be a positive number"),
        (lambda: kprob.samplers.MALA(target_accept_rate=1.5), "`target_accept_rate` must be a number between 0 and 1"),
        (lambda: kprob.samplers.SGHMC(friction=2.0), "`friction` must be a number between 0 and 1"),
        (lambda: kprob.samplers.SMC(moves="hcm"), "Did you mean 'hmc'"),
        (lambda: kprob.samplers.SMC(target_ess=2.0), "`target_ess` must be a number between 0 and 1"),
    ],
)
def test_arguments_are_checked(make, match):
    with pytest.raises(CompileError, match=match):
        make()


@pytest.mark.parametrize("name", [*SAMPLERS, "ParallelTempering"])
def test_init_and_step_on_sites_by_name(name):
    sampler = getattr(kprob.samplers, name)(num_chains=3)
    centre = np.array([1.0, 2.0, 3.0], "float32")

    def log_density(position):
        away = position["b"] - centre
        return -0.5 * (keras.ops.sum(away * away) + position["a"] * position["a"])

    lead = (3,) if name == "ChEES" else ()
    start = {"a": np.zeros(lead, "float32"), "b": np.zeros((*lead, 3), "float32")}
    state = sampler.init(start, log_density)
    for i in range(2):
        state, info = sampler.step(kprob.backend.random.seed(i), state)
    assert int(state.iteration) == 2
    assert {key: tuple(value.shape) for key, value in sampler.position(state).items()} == {"a": lead, "b": (*lead, 3)}
    assert np.isfinite(keras.ops.convert_to_numpy(info.log_density)).all()
