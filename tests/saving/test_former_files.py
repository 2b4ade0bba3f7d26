"""Files that kprob 0.1 saved, when samplers were in `kprob.mcmc` and the optimizer of optimizers in `kprob.models`, load."""

from pathlib import Path

import keras
import numpy as np
import pytest
from saving.saved_models import BINARY, FUNCTIONS, LINE, VAE, build

import kprob

FILES = Path(__file__).parent / "files"


def test_draws_of_a_sampler_and_the_fit_that_goes_on():
    model = kprob.load_model(FILES / "nuts.h5")
    assert type(model.sampler) is kprob.NUTS and len(model.history.epoch) == 4
    assert model.draws.pooled()["temp"].mean() == pytest.approx(17.785244, abs=1e-5)
    if keras.backend.backend() == "tensorflow":  # as when it was saved: seeds of chains are another type on JAX
        model.fit({"sensor": 18.0}, verbose=0, check=False)
        assert model.draws.num_draws == 40


def test_an_optimizer_for_each_part_and_a_baseline():
    model = kprob.load_model(FILES / "optimizers.h5")
    assert type(model.optimizer) is kprob.optimizers.Optimizers
    assert type(model.objective.baseline) is kprob.objectives.MovingAverageBaseline
    assert model.posterior("temp").mean() == pytest.approx(15.298701, abs=1e-4)
    assert model.history.history["elbo"] == pytest.approx([-7.436117, -6.557678, -6.719911], abs=1e-5)
    model.fit({"sensor": 18.0}, epochs=4, initial_epoch=3, verbose=0)


def test_an_optimizer_and_a_baseline_that_nobody_wants():
    model = kprob.load_model(FILES / "optimizers.h5", compile=False)
    assert model.posterior("temp").mean() == pytest.approx(15.298701, abs=1e-4)


def test_a_guide_in_keras_own_format():
    model = kprob.load_model(FILES / "guide.keras", custom_objects=FUNCTIONS)
    assert type(model.guide) is kprob.guides.MultivariateNormal
    np.testing.assert_allclose(model.posterior("w").mean(), [0.494913, 0.494713, 0.495343], atol=1e-5)
    assert float(model.objective.beta.numpy()) == 0.5
    model.fit(LINE, epochs=3, initial_epoch=2, batch_size=7, verbose=0)


def test_weights_alone():
    build(model := VAE(2, hidden=3).compile(kprob.ELBO(), "adam"), BINARY)
    model.load_weights(FILES / "vae.weights.h5")
    assert int(keras.ops.convert_to_numpy(model.optimizer.iterations)) == 1
