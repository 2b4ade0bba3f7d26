"""A run that was saved, loaded and resumed is the run that never stopped, to the last bit."""

import keras
import numpy as np
import pytest
from saving.saved_models import FUNCTIONS, assert_same, make, make_built, state

import kprob
from kprob.training import compiled_loop
from kprob.training.compiled_loop import order_of_epoch

MINIBATCHES = {"batch_size": 8, "verbose": 0}  # of 20 rows: the last batch is a smaller one


def continuous_and_resumed(kind, path, epochs=(2, 4), **options):
    """Fits in one go, and in two with a file between; returns both states and both histories."""
    stop, end = epochs
    keras.utils.set_random_seed(3)
    model, data, _ = make(kind, **options)
    first = model.fit(data, epochs=stop, **MINIBATCHES)
    model.save(path)
    at_stop = state(model)
    rest = model.fit(data, epochs=end, initial_epoch=stop, **MINIBATCHES)
    whole = {name: values + rest.history[name] for name, values in first.history.items()}

    keras.utils.set_random_seed(99)  # whatever is random comes from the file
    again = kprob.load_model(path, custom_objects=FUNCTIONS)
    assert_same(state(again), at_stop)
    before = again.history.history
    resumed = again.fit(data, epochs=end, initial_epoch=stop, **MINIBATCHES)
    joined = {name: values + resumed.history[name] for name, values in before.items()}
    return state(model), state(again), whole, joined


@pytest.mark.parametrize(
    ("kind", "ending", "options"),
    [
        ("automatic guide", "h5", {"jit_compile": True}),
        ("vae", "h5", {"jit_compile": False}),
        ("automatic guide", "keras", {"jit_compile": False}),
        pytest.param("vae", "h5", {"jit_compile": True}, marks=pytest.mark.slow),
    ],
)
def test_compiled(kind, ending, options, tmp_path):
    one, other, whole, joined = continuous_and_resumed(kind, tmp_path / f"m.{ending}", **options)
    assert_same(one, other)
    assert whole == joined


def test_eager(tmp_path):
    one, other, whole, joined = continuous_and_resumed("vae", tmp_path / "m.h5", (1, 2), run_eagerly=True)
    assert_same(one, other)
    assert whole == joined


def test_stopping_between_two_fits_changes_nothing():
    # The runs above stop between two fits, and are compared with runs that do so too; this one doesn't stop.
    states = []
    for stops in ((2, 5), (5,)):
        keras.utils.set_random_seed(3)
        model, data, _ = make("automatic guide", jit_compile=False)
        for start, stop in zip((0, *stops), stops, strict=False):
            model.fit(data, epochs=stop, initial_epoch=start, **MINIBATCHES)
        states.append(state(model))
    assert_same(*states)


def test_the_speed_of_the_machine_changes_nothing(monkeypatch):
    # How many epochs run in one call depends on the time that they take; what comes of them must not.
    states = []
    for seconds in (0.0, 1e9):
        monkeypatch.setattr(compiled_loop, "SECONDS_BETWEEN_CALLBACKS", seconds)
        keras.utils.set_random_seed(3)
        model, data, _ = make("automatic guide", jit_compile=False)
        model.fit(data, epochs=8, **MINIBATCHES)
        states.append(state(model))
    assert_same(*states)


def test_weights_alone_resume_too(tmp_path):
    keras.utils.set_random_seed(3)
    model, data, _ = make("automatic guide", jit_compile=False)
    model.fit(data, epochs=2, **MINIBATCHES)
    model.save_weights(tmp_path / "m.weights.h5")
    model.fit(data, epochs=4, initial_epoch=2, **MINIBATCHES)
    other, data, _ = make_built("automatic guide", jit_compile=False)
    other.load_weights(tmp_path / "m.weights.h5")
    other.fit(data, epochs=4, initial_epoch=2, **MINIBATCHES)
    assert_same(state(model), state(other))


def test_the_order_of_rows_comes_from_the_file(tmp_path):
    # The tests above would pass if nothing were shuffled.
    model, _, _ = make_built("automatic guide")
    model.save(tmp_path / "m.h5")
    order = order_of_epoch(model, 20, 0, shuffle=True)
    np.testing.assert_array_equal(np.sort(order), np.arange(20))
    again = kprob.load_model(tmp_path / "m.h5")
    np.testing.assert_array_equal(order_of_epoch(again, 20, 0, shuffle=True), order)
    assert not np.array_equal(order_of_epoch(again, 20, 1, shuffle=True), order)
    again.seed_generator.state.assign(again.seed_generator.state + 1)
    assert not np.array_equal(order_of_epoch(again, 20, 0, shuffle=True), order)


def test_a_step_moves_every_generator_that_it_draws_from():
    keras.utils.set_random_seed(3)
    model, data, _ = make("vae", run_eagerly=True)
    before = None
    for epochs in (1, 2):
        model.fit(data, epochs=epochs, initial_epoch=epochs - 1, **MINIBATCHES)
        after = state(model)
        if before is not None:
            changed = {name for name, value in after.items() if not np.array_equal(value, before[name])}
            assert "seed seed_generator_state" in changed
            assert "seed encoder.layers[1].seed_generator_state" in changed  # the dropout's
        before = after
