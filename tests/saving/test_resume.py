"""A run that was saved, loaded and resumed is the run that never stopped, to the last bit."""

import keras
import numpy as np
import pytest
from saving.saved_models import FUNCTIONS, assert_same, make, state

import kprob


def continuous_and_resumed(kind, path, fit_options, **options):
    """Fits 5 epochs at once, and 2 and 3 with a file between; returns both states and both histories."""
    keras.utils.set_random_seed(3)
    model, data, _ = make(kind, **options)
    first = model.fit(data, epochs=2, verbose=0, **fit_options)
    model.save(path)
    rest = model.fit(data, epochs=5, initial_epoch=2, verbose=0, **fit_options)
    whole = {name: values + rest.history[name] for name, values in first.history.items()}

    keras.utils.set_random_seed(99)  # what is repeatable comes from the file
    again = kprob.load_model(path, custom_objects=FUNCTIONS)
    before = again.history.history
    resumed = again.fit(data, epochs=5, initial_epoch=2, verbose=0, **fit_options)
    joined = {name: values + resumed.history[name] for name, values in before.items()}
    return state(model), state(again), whole, joined


MINIBATCHES = {"batch_size": 8}  # of 20 rows: the last batch is a smaller one


@pytest.mark.parametrize("jit", [True, False])
def test_compiled(jit, tmp_path):
    one, other, whole, joined = continuous_and_resumed("vae", tmp_path / "m.h5", MINIBATCHES, jit_compile=jit)
    assert_same(one, other)
    assert whole == joined


def test_eager(tmp_path):
    one, other, whole, joined = continuous_and_resumed("vae", tmp_path / "m.h5", MINIBATCHES, run_eagerly=True)
    assert_same(one, other)
    assert whole == joined


@pytest.mark.parametrize("ending", ["h5", "keras"])
def test_guide(ending, tmp_path):
    path = tmp_path / f"m.{ending}"
    one, other, whole, joined = continuous_and_resumed("automatic guide", path, MINIBATCHES, jit_compile=False)
    assert_same(one, other)
    assert whole == joined


def test_not_stopping_is_the_same_as_two_fits():
    # The runs above stop between two fits; this one doesn't.
    keras.utils.set_random_seed(3)
    model, data, _ = make("automatic guide", jit_compile=False)
    model.fit(data, epochs=2, batch_size=8, verbose=0)
    model.fit(data, epochs=5, initial_epoch=2, batch_size=8, verbose=0)
    keras.utils.set_random_seed(3)
    other, data, _ = make("automatic guide", jit_compile=False)
    other.fit(data, epochs=5, batch_size=8, verbose=0)
    assert_same(state(model), state(other))


def test_the_resumed_run_shuffles_and_draws(tmp_path):
    # The tests above would pass if nothing were random.
    finals = []
    for seed in (3, 4):
        keras.utils.set_random_seed(0)
        model, data, _ = make("automatic guide", jit_compile=False)
        model.fit(data, epochs=1, batch_size=8, verbose=0)
        model.seed_generator.state.assign(np.array([seed, 0]))
        model.fit(data, epochs=3, initial_epoch=1, batch_size=8, verbose=0)
        finals.append(state(model)["guide.w_loc"])
    assert not np.array_equal(*finals)


def test_weights_alone_resume_too(tmp_path):
    keras.utils.set_random_seed(3)
    model, data, _ = make("automatic guide", jit_compile=False)
    model.fit(data, epochs=2, batch_size=8, verbose=0)
    model.save_weights(tmp_path / "m.weights.h5")
    model.fit(data, epochs=4, initial_epoch=2, batch_size=8, verbose=0)
    other, data, _ = make("automatic guide", jit_compile=False)
    other.evaluate(data, verbose=0)
    other.load_weights(tmp_path / "m.weights.h5")
    other.fit(data, epochs=4, initial_epoch=2, batch_size=8, verbose=0)
    assert_same(state(model), state(other))
