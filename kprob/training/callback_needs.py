"""Which callbacks must see what: every batch, the end of every epoch, or only what was logged."""

from typing import Any

import keras

from kprob.training.backups import guarded

_RECORDERS = (keras.callbacks.History, keras.callbacks.ProgbarLogger)

# Keras's callbacks that override a batch hook and yet need no batch between two ends of epochs, or only its logs.
_CONTENT_WITH_EPOCHS = (
    keras.callbacks.History,
    keras.callbacks.ProgbarLogger,
    keras.callbacks.CSVLogger,
    keras.callbacks.EarlyStopping,
    keras.callbacks.LearningRateScheduler,
    keras.callbacks.ReduceLROnPlateau,
    keras.callbacks.RemoteMonitor,
    keras.callbacks.TerminateOnNaN,
)

_SAVERS = (keras.callbacks.ModelCheckpoint, keras.callbacks.BackupAndRestore)

_BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")


def listed(callbacks: Any) -> list[keras.callbacks.Callback]:
    """Returns what `fit` got as its callbacks as a list."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks.callbacks
    return list(callbacks) if isinstance(callbacks, list | tuple) else [] if callbacks is None else [callbacks]


def needs_every_batch(callbacks: Any) -> bool:
    """Whether any of the user's callbacks acts between batches, so that steps must be taken one at a time."""
    return any(_acts_between_batches(callback) for callback in listed(callbacks))


def epochs_between(callbacks: Any) -> list[int]:
    """Returns after how many epochs each callback acts: several epochs may run at once up to the next of these.

    Those that only write down logs never act; a callback may say by an attribute `epochs_between` that it acts at the
    multiples of a number, and till then only takes notes; others act after every epoch.
    """
    return [getattr(callback, "epochs_between", 1) for callback in callbacks if type(callback) not in _RECORDERS]


def may_change_model(callbacks: Any) -> bool:
    """Whether any callback may change attributes, settings or layers of the model: all may but those of Keras."""
    harmless = (*_CONTENT_WITH_EPOCHS, *_SAVERS, keras.callbacks.TensorBoard)
    return any(type(callback) not in harmless for callback in listed(callbacks))


def savers_last(callbacks: Any) -> Any:
    """Puts callbacks that save the model behind History, so that what they save has the epoch that just ended.

    Backups are guarded (see `kprob.training.backups`).
    """
    listed = [callbacks] if isinstance(callbacks, keras.callbacks.Callback) else callbacks
    if isinstance(callbacks, keras.callbacks.CallbackList) or not any(isinstance(c, _SAVERS) for c in listed or ()):
        return callbacks
    others = [callback for callback in listed if not isinstance(callback, _SAVERS)]
    if not any(isinstance(callback, keras.callbacks.History) for callback in others):
        others.append(keras.callbacks.History())
    savers = [callback for callback in listed if isinstance(callback, _SAVERS)]
    return [*others, *(callback for saver in savers for callback in guarded(saver))]


def _acts_between_batches(callback: keras.callbacks.Callback) -> bool:
    if type(callback) in _CONTENT_WITH_EPOCHS:
        return False
    if type(callback) in _SAVERS:
        return callback.save_freq != "epoch"
    if type(callback) is keras.callbacks.TensorBoard:
        return callback.update_freq != "epoch" or bool(callback._should_trace)
    return any(getattr(type(callback), hook) is not getattr(keras.callbacks.Callback, hook) for hook in _BATCH_HOOKS)
