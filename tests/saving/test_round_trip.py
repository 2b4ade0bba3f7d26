"""What is saved comes back: every kind of model, in every format, to the last bit."""

import h5py
import keras
import numpy as np
import pytest
from internals import evaluate_objective, prepare_data
from saving.saved_models import BINARY, FUNCTIONS, MODELS, VAE, Schools, assert_same, build, make_built, state

import kprob
from kprob.backend import random
from kprob.data import batch_of
from kprob.errors import ArchiveError


def assert_same_draws(model, other, data):
    one, two = (m.posterior_predictive(None, data).sample(3, seed=1) for m in (model, other))
    assert one.keys() == two.keys()
    for name, draw in one.items():
        np.testing.assert_array_equal(draw, two[name], err_msg=name)


def assert_same_objective(model, other, data):
    one, two = (evaluate_objective(m, batch_of(prepare_data(m.networks, data)), random.seed(5)) for m in (model, other))
    for name in ("objective", "kl"):
        assert np.isfinite(float(getattr(one, name)))
        assert float(getattr(one, name)) == float(getattr(two, name))


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_comes_back(kind, tmp_path):
    model, data, latent = make_built(kind)
    before = state(model)
    model.save(tmp_path / "m.h5")
    model.save(tmp_path / "m.keras")
    assert_same(state(model), before)

    for ending in ("h5", "keras"):
        again = kprob.load_model(tmp_path / f"m.{ending}", custom_objects=FUNCTIONS)
        assert type(again) is type(model)
        assert again.name == model.name
        assert_same(state(again), before)
        assert again.history.epoch == [0, 1, 2]
        np.testing.assert_equal(again.history.history, model.history.history)
        assert type(again.objective) is kprob.ELBO
        assert again.optimizer.get_config() == model.optimizer.get_config()
    assert_same_objective(model, again, data)
    if kind in ("vae", "layers as arguments"):
        assert_same_draws(model, again, data)
        one, two = (m.posterior(latent, data).sample(3, seed=1) for m in (model, again))
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("kind", ["vae", "automatic guide"])
def test_weights_come_back(kind, tmp_path):
    model, data, _ = make_built(kind)
    model.save_weights(tmp_path / "m.weights.h5")
    model.save(tmp_path / "m.h5")
    for file in ("m.weights.h5", "m.h5"):
        other, _, _ = make_built(kind)
        for variable in other.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))
        other.load_weights(tmp_path / file)
        assert_same(state(other), state(model))


def test_saving_again_gives_the_same_model(tmp_path):
    model, _, _ = make_built("vae")
    model.save(tmp_path / "m.h5")
    kprob.load_model(tmp_path / "m.h5").save(tmp_path / "n.h5")
    assert_same(state(kprob.load_model(tmp_path / "n.h5")), state(model))


def test_the_compiled_options_come_back(tmp_path):
    rate = keras.optimizers.schedules.CosineDecay(0.1, 10)
    model, _, _ = make_built(
        "vae",
        objective=kprob.objectives.AnalyticKLELBO(num_samples=3),
        optimizer=keras.optimizers.RMSprop(rate, clipnorm=2.0, use_ema=True),
        jit_compile=False,
        run_eagerly=True,
        steps_per_execution=2,
    )
    model.save(tmp_path / "m.h5")
    again = kprob.load_model(tmp_path / "m.h5")
    assert type(again.objective) is kprob.objectives.AnalyticKLELBO
    assert type(again.optimizer) is keras.optimizers.RMSprop
    assert again.optimizer.get_config() == model.optimizer.get_config()
    assert_same(state(again), state(model))
    assert again.objective.num_samples == 3
    assert (again.jit_compile, again.run_eagerly, again.steps_per_execution) == (False, True, 2)
    assert again._state.compile_options == model._state.compile_options


def test_automatic_jit_stays_automatic(tmp_path):
    # Keras resolves "auto" to False on a CPU; saved so, the resumed run would be computed in another way.
    model, _, _ = make_built("vae")
    model.save(tmp_path / "m.h5")
    again = kprob.load_model(tmp_path / "m.h5")
    assert again._state.compile_options["jit_compile"] == "auto"
    assert again.networks.jit == model.networks.jit


def test_a_function_as_objective(tmp_path):
    model, _, _ = make_built("vae", objective=FUNCTIONS["plain_elbo"])
    model.save(tmp_path / "m.h5")
    again = kprob.load_model(tmp_path / "m.h5", custom_objects=FUNCTIONS)
    assert again.objective.function is FUNCTIONS["plain_elbo"]
    assert_same(state(again), state(model))


def test_without_compiling(tmp_path):
    model, data, _ = make_built("vae", objective=FUNCTIONS["plain_elbo"])
    model.save(tmp_path / "m.h5")
    again = kprob.load_model(tmp_path / "m.h5", compile=False)
    assert not again.compiled
    saved = {name: value for name, value in state(model).items() if not name.startswith("optimizer")}
    again.optimizer = None
    assert_same(state(again), saved)


def test_a_model_that_was_never_used(tmp_path):
    model = Schools([1.0, 2.0], name="mine")
    with pytest.warns(UserWarning, match="not yet been built"):
        model.save(tmp_path / "m.h5")
    again = kprob.load_model(tmp_path / "m.h5")
    assert (again.spread, again.name, again.built, again.compiled) == ([1.0, 2.0], "mine", False, False)


def test_a_model_that_was_only_drawn_from(tmp_path):
    # It has made the weights that its generative network needed, and no others.
    model = Schools([1.0, 2.0])
    model.prior("y").sample(1, seed=0)
    with pytest.raises(ArchiveError, match="it was only drawn from, and lacks weights.\n.*weights `mu`"):
        model.save(tmp_path / "m.h5")
    model.compile(kprob.ELBO(), "adam").evaluate({"y": [1.0, 2.0]}, verbose=0)
    model.save(tmp_path / "m.h5")
    assert_same(state(kprob.load_model(tmp_path / "m.h5")), state(model))


@pytest.mark.parametrize("save", ["save", "save_weights"])
def test_a_file_that_must_stay(save, tmp_path):
    model, _, _ = make_built("probmodel")
    (tmp_path / "m.weights.h5").write_text("mine")
    with pytest.raises(FileExistsError, match="m.weights.h5 is there already. Pass overwrite=True"):
        getattr(model, save)(tmp_path / "m.weights.h5", overwrite=False)
    assert (tmp_path / "m.weights.h5").read_text() == "mine"


def test_addresses():
    model, _, _ = make_built("probmodel")
    for save in (model.save, model.save_weights):
        with pytest.raises(ArchiveError, match="kprob writes its files to folders of this machine"):
            save("gs://bucket/m.weights.h5")


def test_keras_own_ways_still_work(tmp_path):
    model, _, _ = make_built("vae")
    model.save(tmp_path / "folder", zipped=False)
    again = keras.saving.load_model(tmp_path / "folder", custom_objects={"VAE": VAE})
    assert_same(state(again), state(model))
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras", custom_objects={"VAE": VAE})
    assert_same(state(again), state(model))
    assert again.history.epoch == [0, 1, 2]
    with pytest.raises(ValueError, match="Invalid filepath extension"):
        model.save(tmp_path / "m.pt")


def test_frozen_layers_stay_frozen(tmp_path):
    model, _, _ = make_built("vae")
    model.decoder.layers[1].trainable = False
    model.compile(kprob.ELBO(), keras.optimizers.Adam(0.01))
    model.save(tmp_path / "m.h5")
    again = kprob.load_model(tmp_path / "m.h5")
    assert not again.decoder.layers[1].trainable and again.decoder.trainable and again.decoder.layers[0].trainable
    assert len(again.trainable_variables) == len(model.trainable_variables)
    assert_same(state(again), state(model))


def test_layers_made_under_a_dtype_policy(tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = VAE()
    finally:
        keras.config.set_dtype_policy(before)
    build(model.compile(kprob.ELBO(), "adam"), BINARY)
    model.save(tmp_path / "m.h5")
    again = kprob.load_model(tmp_path / "m.h5")
    assert again.decoder.layers[0].compute_dtype == "bfloat16"
    assert keras.config.dtype_policy() is before
    assert_same(state(again), state(model))


def test_the_archive_is_also_a_weights_file_of_hdf5(tmp_path):
    model, _, _ = make_built("vae")
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as file:
        assert {"config.json", "metadata.json", "assets"} <= set(file["kprob.archive"])
        kernels = [d[()] for d in _datasets(file) if d.shape == tuple(model.decoder.layers[0].kernel.shape)]
    expected = keras.ops.convert_to_numpy(model.decoder.layers[0].kernel)
    assert any(np.array_equal(kernel, expected) for kernel in kernels)


def _datasets(group):
    for item in group.values():
        if hasattr(item, "values"):
            yield from _datasets(item)
        else:
            yield item
