"""Stopping that isn't fooled by noise."""

import keras
import numpy as np
import pytest

import kprob
from kprob import tfd
from kprob.errors import CompileError
from kprob.training.callback_needs import needs_every_batch


@kprob.probmodel
def temperature():
    temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
    kprob.sample("sensor", tfd.Normal(temp, 1.0))


class Fake:
    """Stands for a model: remembers whether it was stopped."""

    stop_training = False
    trainable_variables = ()


def stopped_at(record, **options):
    callback = kprob.callbacks.EarlyStopping(**options)
    callback.set_model(Fake())
    callback.on_train_begin()
    for epoch, value in enumerate(record):
        callback.on_epoch_end(epoch, {"elbo": value})
        if callback.model.stop_training:
            return epoch + 1
    return None


@pytest.mark.once
def test_noise_does_not_keep_it_going_and_does_not_stop_a_rise():
    noise = np.random.default_rng(0).normal(size=(40, 3000))
    ends = [stopped_at(row, window=50, patience=3) for row in noise]
    assert np.median([3001 if end is None else end for end in ends]) <= 350
    slow = 4 * (1 - np.exp(-np.arange(3000) / 600))
    ends = [stopped_at(row + slow, window=50, patience=3) for row in noise]
    assert np.quantile([3001 if end is None else end for end in ends], 0.1) > 500  # more than half of the way


@pytest.mark.once
def test_small_improvements_and_falling_losses():
    rising = np.arange(1000) / 1000
    assert stopped_at(rising, window=10) is None
    assert stopped_at(rising, window=10, min_delta=0.5, patience=2) == 30
    callback_says = stopped_at(-rising, window=10, mode="min")
    assert callback_says is None and stopped_at(rising, window=10, mode="min", patience=2) == 30


def test_many_epochs_run_in_one_program_and_the_stop_is_at_a_window_s_end():
    callback = kprob.callbacks.EarlyStopping(window=100, patience=2)
    assert not needs_every_batch([callback]) and callback.epochs_between == 100
    keras.utils.set_random_seed(0)
    model = temperature().compile(kprob.ELBO(), keras.optimizers.Adam(0.05))
    history = model.fit({"sensor": 18.0}, epochs=5000, callbacks=[callback], verbose=0, check=False)
    assert len(history.epoch) == callback.stopped_epoch + 1 < 5000 and len(history.epoch) % 100 == 0
    assert model.posterior("temp").mean() == pytest.approx(17.4, abs=0.3)


def test_the_best_weights_come_back():
    model = temperature().compile(kprob.ELBO(), keras.optimizers.Adam(0.05))
    callback = kprob.callbacks.EarlyStopping(window=50, patience=2, restore_best_weights=True)
    model.fit({"sensor": 18.0}, epochs=1000, callbacks=[callback], verbose=0, check=False)
    for variable, value in callback.best_weights:
        assert np.array_equal(keras.ops.convert_to_numpy(variable), value)


def test_wrong_use_is_said():
    with pytest.raises(CompileError, match="doesn't log"):
        stopped_at([1.0], monitor="val_elbo")
    with pytest.raises(CompileError, match="mode"):
        kprob.callbacks.EarlyStopping(mode="auto")
