"""What is saved comes back: every kind of model, in every format, to the last bit."""

import h5py
import keras
import numpy as np
import pytest
from saving.saved_models import BINARY, FUNCTIONS, MODELS, VAE, Schools, assert_same, build, make_built, state

import kprob


def assert_same_draws(model, other, data):
    one, two = (m.posterior_predictive(None, data).sample(3, seed=1) for m in (model, other))
    assert one.keys() == two.keys()
    for name, draw in one.items():
        np.testing.assert_array_equal(draw, two[name], err_msg=name)


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
    assert_same_draws(model, again, data)
    if kind == "vae":
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
            variable.assign(keras.ops.zeros_like(variable))
        other.load_weights(tmp_path / file)
        assert_same(state(other), state(model))


def test_saving_again_gives_the_same_model(tmp_path):
    model, _, _ = make_built("vae")
    model.save(tmp_path / "m.h5")
    kprob.load_model(tmp_path / "m.h5").save(tmp_path / "n.h5")
    assert_same(state(kprob.load_model(tmp_path / "n.h5")), state(model))


def test_the_compiled_options_come_back(tmp_path):
    model, _, _ = make_built(
        "vae", objective=kprob.ELBO(num_samples=3), jit_compile=False, run_eagerly=True, steps_per_execution=2
    )
    model.save(tmp_path / "m.h5")
    again = kprob.load_model(tmp_path / "m.h5")
    assert again.objective.num_samples == 3
    assert (again.jit_compile, again.run_eagerly, again.steps_per_execution) == (False, True, 2)
    assert vars(again)["_compile_options"] == vars(model)["_compile_options"]


def test_automatic_jit_stays_automatic(tmp_path):
    # Keras resolves "auto" to False on a CPU; saved so, the resumed run would be computed in another way.
    model, _, _ = make_built("vae")
    model.save(tmp_path / "m.h5")
    again = kprob.load_model(tmp_path / "m.h5")
    assert vars(again)["_compile_options"]["jit_compile"] == "auto"
    assert vars(again)["_jit"] == vars(model)["_jit"]


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


def test_a_model_that_was_never_compiled(tmp_path):
    model = Schools([1.0, 2.0])
    model.prior("y").sample(1, seed=0)
    with pytest.warns(UserWarning, match="not yet been built"):
        model.save(tmp_path / "m.h5")
    again = kprob.load_model(tmp_path / "m.h5")
    np.testing.assert_array_equal(again.spread, [1.0, 2.0])
    assert not again.built
    np.testing.assert_array_equal(again.prior("y").sample(4, seed=2), model.prior("y").sample(4, seed=2))


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
