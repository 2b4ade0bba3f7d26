"""Sequential Monte Carlo: evidence, posterior, temperatures."""

import keras
import numpy as np
import pytest
from internals import prepare_data

import kprob
from kprob import tfd
from kprob.errors import KprobError

SENSORS = np.array([18, 18.7, 19.2, 17.8, 20.3, 22.4, 20.3, 21.2, 19.5, 20.1])


@kprob.probmodel
def temperature():
    temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
    kprob.sample("sensor", tfd.Normal(temp, 1.0))


@kprob.probmodel
def ten_sensors():
    mean_temp = kprob.sample("mean_temp", tfd.Normal(15.0, 2.0))
    with kprob.plate("data"):
        temp = kprob.sample("temp", tfd.Normal(mean_temp, 2.0))
        kprob.sample("sensor", tfd.Normal(temp, 1.0))


def test_evidence_and_posterior_of_the_temperature(tmp_path):
    model = temperature().compile(kprob.samplers.SMC(num_particles=4000, num_moves=3))
    history = model.fit({"sensor": 18.0}, verbose=0)
    assert model.log_evidence == pytest.approx(-2.623657, abs=0.05)
    assert 0.0 < model.log_evidence.standard_error < 0.05
    assert history.history["temperature"][-1] == 1.0
    draws = model.posterior("temp").sample(8000, seed=1)
    assert draws.mean() == pytest.approx(17.4, abs=0.06)
    assert draws.std() == pytest.approx(0.894427, abs=0.05)
    model.save(tmp_path / "model.h5")
    again = kprob.load_model(tmp_path / "model.h5", custom_objects={"temperature": temperature})
    assert float(again.log_evidence) == float(model.log_evidence)
    assert again.sampler.get_config() == model.sampler.get_config()


@pytest.mark.slow
def test_evidence_by_random_walks():
    model = temperature().compile(kprob.samplers.SMC(num_particles=4000, moves="random_walk", num_moves=20))
    model.fit({"sensor": 18.0}, verbose=0)
    assert model.log_evidence == pytest.approx(-2.623657, abs=0.05)
    assert model.draws.values["temp"].std() == pytest.approx(0.894427, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"dense_mass": True}], ids=["diagonal", "dense"])
def test_evidence_of_the_hierarchy(options):
    model = ten_sensors().compile(kprob.samplers.SMC(num_particles=4000, num_chains=4, **options))
    model.fit({"sensor": SENSORS}, verbose=0)
    assert model.log_evidence == pytest.approx(-22.660632, abs=0.05)
    draws = model.draws.values["mean_temp"]
    assert draws.mean() == pytest.approx(19.222222, abs=0.06)
    assert draws.std() == pytest.approx(0.666667, abs=0.05)
    first = model.draws.values["temp"][..., 0]
    assert (first.mean(), first.std()) == (pytest.approx(18.244444, abs=0.06), pytest.approx(0.904311, abs=0.05))


def test_evidence_before_fit_is_an_error():
    with pytest.raises(KprobError, match="no evidence by sequential Monte Carlo"):
        _ = temperature().compile(kprob.samplers.SMC()).log_evidence


def test_parts_sum_up_to_the_log_density():
    from kprob.data import batch_of
    from kprob.density import find_log_density

    model = ten_sensors()
    batch = batch_of(prepare_data(model.networks, {"sensor": SENSORS}))
    density = find_log_density(model.networks, batch)
    vector = keras.ops.convert_to_tensor(np.linspace(17.0, 21.0, 11).astype("float32"))
    prior, likelihood = density.prior_and_likelihood(vector, batch)
    values = np.linspace(17.0, 21.0, 11)
    exact = -0.5 * np.sum((SENSORS - values[1:]) ** 2) - 5.0 * np.log(2.0 * np.pi)
    assert float(likelihood) == pytest.approx(exact, rel=1e-5)
    assert float(prior + likelihood) == pytest.approx(float(density(vector, batch)), rel=1e-5)
