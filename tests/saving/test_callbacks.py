"""Keras's callbacks that save: ModelCheckpoint and BackupAndRestore."""

import os

import keras
import numpy as np
import pytest
from saving.saved_models import assert_same, make, state

import kprob

FIT = {"batch_size": 8, "verbose": 0}


class Stop(keras.callbacks.Callback):
    """Stops a run as a crash would."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt


def new_model(seed=3):
    keras.utils.set_random_seed(seed)
    return make("automatic guide", jit_compile=False)[:2]


@pytest.mark.parametrize("ending", ["h5", "keras", "weights.h5"])
def test_model_checkpoint(ending, tmp_path):
    model, data = new_model()
    only_weights = ending == "weights.h5"
    path = str(tmp_path / ("m{epoch}." + ending))
    saver = keras.callbacks.ModelCheckpoint(path, save_weights_only=only_weights)
    history = model.fit(data, epochs=5, callbacks=[saver], **FIT)
    assert sorted(os.listdir(tmp_path)) == [f"m{i}.{ending}" for i in range(1, 6)]

    if only_weights:
        again, data = new_model(seed=4)
        again.evaluate(data, verbose=0)
        again.load_weights(tmp_path / "m3.weights.h5")
    else:
        again = kprob.load_model(tmp_path / f"m3.{ending}")
        # The epoch that ended when the file was written is in it too.
        assert again.history.epoch == [0, 1, 2]
        assert again.history.history == {name: values[:3] for name, values in history.history.items()}
    again.fit(data, epochs=5, initial_epoch=3, **FIT)
    assert_same(state(again), state(model))


def test_the_best_model_is_kept(tmp_path):
    model, data = new_model()
    path = tmp_path / "best.h5"
    saver = keras.callbacks.ModelCheckpoint(path, monitor="elbo", mode="max", save_best_only=True)
    history = model.fit(data, epochs=6, callbacks=saver, **FIT)
    best = int(np.argmax(history.history["elbo"]))
    assert kprob.load_model(path).history.epoch == list(range(best + 1))


def test_callbacks_keep_what_they_log(tmp_path):
    # Those that save go behind History, and all others stay before it, as Keras has it.
    model, data = new_model()
    saver = keras.callbacks.ModelCheckpoint(tmp_path / "m.h5")
    rate = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.01 / (1 + epoch))
    history = model.fit(data, epochs=2, callbacks=[saver, rate], **FIT)
    np.testing.assert_allclose(history.history["learning_rate"], [0.01, 0.005], rtol=1e-6)
    assert kprob.load_model(tmp_path / "m.h5").history.history == history.history


@pytest.mark.parametrize("double", [False, True])
def test_backup_and_restore(double, tmp_path):
    expected, data = new_model()
    expected.fit(data, epochs=5, **FIT)

    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path / "backup", double_checkpoint=double)

    model, data = new_model()
    with pytest.raises(KeyboardInterrupt):
        model.fit(data, epochs=5, callbacks=[backup(), Stop(3)], **FIT)

    again, data = new_model(seed=4)
    if double:  # damage to the last backup: the one before takes its place
        last = tmp_path / "backup" / "latest.weights.h5"
        content = bytearray(last.read_bytes())
        content[len(content) // 2] ^= 1
        last.write_bytes(content)
    history = again.fit(data, epochs=5, callbacks=[backup()], **FIT)
    assert history.epoch == ([2, 3, 4] if double else [3, 4])
    assert history is again.history
    assert_same(state(again), state(expected))
    assert not (tmp_path / "backup").exists()

    # The epoch to begin with is that one run's alone.
    assert again.fit(data, epochs=2, **FIT).epoch == [0, 1]


def test_saving_every_few_batches(tmp_path):
    model, data = new_model()
    path = str(tmp_path / "m{epoch}-{batch}.weights.h5")
    saver = keras.callbacks.ModelCheckpoint(path, save_freq=2, save_weights_only=True)
    model.fit(data, epochs=2, callbacks=[saver], **FIT)
    assert sorted(os.listdir(tmp_path)) == ["m1-2.weights.h5", "m2-1.weights.h5", "m2-3.weights.h5"]


def test_a_folder_in_the_checkpoints_place(tmp_path):
    model, data = new_model()
    (tmp_path / "m.h5").mkdir()
    saver = keras.callbacks.ModelCheckpoint(tmp_path / "m.h5")
    with pytest.raises(OSError, match="existing directory"):
        model.fit(data, epochs=1, callbacks=[saver], **FIT)
