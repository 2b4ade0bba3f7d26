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


def test_model_checkpoint(tmp_path):
    model, data = new_model()
    savers = [
        keras.callbacks.ModelCheckpoint(str(tmp_path / ("m{epoch}." + ending)), save_weights_only="weights" in ending)
        for ending in ("h5", "keras", "weights.h5")
    ]
    savers.append(keras.callbacks.ModelCheckpoint(tmp_path / "best.h5", "elbo", mode="max", save_best_only=True))
    # One that comes after them in the list, and logs what History is to keep.
    rate = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.01 / (1 + epoch))
    history = model.fit(data, epochs=5, callbacks=[*savers, rate], **FIT).history
    assert len(os.listdir(tmp_path)) == 3 * 5 + 1
    np.testing.assert_allclose(history["learning_rate"], 0.01 / np.arange(1, 6), rtol=1e-6)
    best = int(np.argmax(history["elbo"]))
    assert kprob.load_model(tmp_path / "best.h5").history.epoch == list(range(best + 1))

    other = kprob.load_model(tmp_path / "m3.keras")
    again = kprob.load_model(tmp_path / "m3.h5")
    assert_same(state(other), state(again))
    other.load_weights(tmp_path / "m5.weights.h5")
    assert_same(state(other), state(model))
    # The epoch that ended when the file was written is in it too.
    assert again.history.epoch == other.history.epoch == [0, 1, 2]
    assert again.history.history == other.history.history == {name: values[:3] for name, values in history.items()}

    again.fit(data, epochs=5, initial_epoch=3, callbacks=[rate], **FIT)
    assert_same(state(again), state(model))


@pytest.fixture(scope="module")
def expected():
    """The state after a run that was never stopped."""
    model, data = new_model()
    model.fit(data, epochs=5, **FIT)
    return state(model)


@pytest.mark.parametrize("double", [False, True])
def test_backup_and_restore(double, expected, tmp_path):
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
    assert_same(state(again), expected)
    assert not (tmp_path / "backup").exists()

    # The epoch to begin with is that one run's alone.
    assert again.fit(data, epochs=2, **FIT).epoch == [0, 1]


@pytest.mark.parametrize("beside", ["", '{"epoch": 2, "batch": 0}'], ids=["empty", "of the epoch before"])
def test_a_process_killed_between_the_weights_and_the_epoch_beside_them(beside, expected, tmp_path):
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    model, data = new_model()
    with pytest.raises(KeyboardInterrupt):
        model.fit(data, epochs=5, callbacks=[backup, Stop(3)], **FIT)
    (tmp_path / "backup" / "training_metadata.json").write_text(beside)
    again, data = new_model(seed=4)
    history = again.fit(data, epochs=5, callbacks=[keras.callbacks.BackupAndRestore(tmp_path / "backup")], **FIT)
    assert history.epoch == [3, 4]
    assert_same(state(again), expected)


def test_weights_that_were_loaded_before_say_nothing_of_a_fit_without_a_backup(tmp_path):
    model, data = new_model()
    model.fit(data, epochs=3, **FIT)
    model.save_weights(tmp_path / "m.weights.h5")
    model.load_weights(tmp_path / "m.weights.h5")
    assert model.fit(data, epochs=2, callbacks=[keras.callbacks.BackupAndRestore(tmp_path)], **FIT).epoch == [0, 1]


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
