"""What every guide that kprob exports must do: configs, saving, batches, compiled or not, sites like any other."""

import keras
import numpy as np
import pytest
from guides import guided_models
from internals import prepare_data

import kprob
from kprob import backend, guides
from kprob.data import batch_of

# Particles choose one of several points, and have tests of their own with the objective that moves them.
EXPORTED = [name for name in guides.__all__ if name not in ("Guide", "Particles")]


def test_every_guide_is_tried():
    assert sorted(EXPORTED) == sorted(guided_models.GUIDES)


SHAPES = {
    "small": {"level": (), "rate": (), "shift": (10,)},
    "mixed": {"level": (), "rate": (2,), "share": (3,), "shift": (10,), "size": (10, 2)},
}
CASES = [pytest.param((name, "small"), id=name) for name in EXPORTED]
CASES += [pytest.param((name, "mixed"), id=f"{name}-mixed", marks=pytest.mark.slow) for name in EXPORTED]


def trained(name, model, jit):
    """A model fitted in batches of 5 rows, or of 4, 4 and 2."""
    keras.utils.set_random_seed(3)
    epochs = 150 if name == "Laplace" else 3
    found = getattr(guided_models, model)(inference=guided_models.GUIDES[name]())
    found.compile(kprob.ELBO(), guided_models.adam(0.1, epochs * 3), jit_compile=jit)
    batch_size = 5 if model == "small" else 4
    history = found.fit(guided_models.some_data(), batch_size=batch_size, epochs=epochs, verbose=0)
    return found, history.history


@pytest.fixture(scope="module", params=CASES)
def fitted(request):
    name, model = request.param
    return name, *trained(name, model, jit=model == "mixed"), SHAPES[model]


def as_numpy(value):
    return np.asarray(keras.ops.convert_to_numpy(value))


def test_config(fitted):
    model = fitted[1]
    written = keras.saving.serialize_keras_object(model.guide)
    again = keras.saving.deserialize_keras_object(written)
    assert type(again) is type(model.guide) and not again.built
    assert keras.saving.serialize_keras_object(again)["config"] == written["config"]


def test_trains_in_batches(fitted):
    name, model, history, _ = fitted
    assert np.isfinite(history["elbo"]).all()
    assert len(model.trainable_variables) > 0
    assert model.guide.has_rows and model.guide.num_data == 10


def test_saved_and_loaded_it_draws_the_same(fitted, tmp_path):
    model = fitted[1]
    model.save(tmp_path / "m.h5")
    again = kprob.load_model(tmp_path / "m.h5")
    data = guided_models.some_data()
    one, other = (m.posterior(data=data).sample(3, seed=1) for m in (model, again))
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)
    quantiles = [m.guide.quantiles([0.1, 0.9], num_samples=50) for m in (model, again)]
    for name, value in quantiles[0].items():
        np.testing.assert_allclose(value, quantiles[1][name], rtol=1e-6)
    assert again.fit(data, epochs=1, verbose=0) is not None


def test_sites_have_the_models_shapes_and_supports(fitted):
    name, model, _, shapes = fitted
    draws = model.posterior(data=guided_models.some_data()).sample(4, seed=1)
    assert {site: value.shape[1:] for site, value in draws.items()} == shapes
    assert (draws["rate"] > 0).all()
    if "share" in draws:
        np.testing.assert_allclose(draws["share"].sum(-1), 1.0, rtol=1e-5)
    if name != "Delta":
        assert draws["level"].std() > 0 and draws["shift"].std(0).min() > 0
    median = model.guide.median(num_samples=50)
    assert {site: value.shape for site, value in median.items()} == shapes


def test_a_draw_weighs_the_same_when_it_is_given(fitted):
    # The density comes from the noise of a draw, and from the inverse for values that are given.
    model = fitted[1]
    batch = batch_of(prepare_data(model.networks, guided_models.some_data()))
    drawn = model.networks.run_inference(batch, backend.random.seed(7))
    values = {name: keras.ops.copy(drawn[name].value) for name in drawn}
    given = model.networks.run_inference(batch, backend.random.seed(8), given=values)
    for name in drawn:
        one, other = (as_numpy(trace[name].log_prob()) for trace in (drawn, given))
        assert one.shape == tuple(plate.size for plate in drawn[name].plates)
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-3, err_msg=name)


def test_the_gradient_reaches_every_parameter(fitted):
    # A wrong chain would leave some parameters of the later latents without one.
    name, model, _, shapes = fitted
    batch = batch_of(prepare_data(model.networks, guided_models.some_data()))

    def elbo(*values):
        with keras.StatelessScope(list(zip(model.trainable_variables, values, strict=True))):
            p, q = model.networks.pair(batch, backend.random.seed(2))
        return p.log_prob() - q.log_prob()

    _, found = backend.gradients(elbo, *(keras.ops.convert_to_tensor(v) for v in model.trainable_variables))
    for variable, gradient in zip(model.trainable_variables, found, strict=True):
        assert gradient is not None, variable.path
        gradient = as_numpy(keras.ops.convert_to_tensor(gradient))
        assert np.isfinite(gradient).all() and (gradient.size == 0 or np.any(gradient != 0)), variable.path


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPORTED)
def test_compiled_or_not_it_trains_the_same(name):
    one, other = (trained(name, "mixed", jit)[1]["elbo"] for jit in (True, False))
    np.testing.assert_allclose(one, other, rtol=1e-2)


@pytest.mark.parametrize("name", EXPORTED)
def test_a_guide_without_latents_says_so(name):
    with pytest.raises(kprob.errors.KprobError, match="has no latents yet"):
        guided_models.GUIDES[name]().median()
