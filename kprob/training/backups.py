"""What Keras's BackupAndRestore lacks: a process may be killed while the backup is written.

It writes the weights and then, over the old file, the epoch. A kill between the two leaves the weights of one epoch beside
the number of another, or beside an empty file, which can't be read. kprob's weights files, which are written whole or not at
all, say themselves how many epochs they have seen, and that is what counts.
"""

import contextlib
import json
import os
from typing import Any

import keras

METADATA = "training_metadata.json"


class _DropHalfWrittenEpoch(keras.callbacks.Callback):
    # Drops numbers of epochs that were only half written.
    def __init__(self, backup: keras.callbacks.BackupAndRestore):
        super().__init__()
        self.path = os.path.join(os.fspath(backup.backup_dir), METADATA)

    def on_train_begin(self, logs: Any = None) -> None:
        self.model.take_restored_epoch()
        if "://" in self.path or not os.path.exists(self.path):
            return
        try:
            with open(self.path, encoding="utf-8") as file:
                json.load(file)
        except ValueError:
            with contextlib.suppress(FileNotFoundError):
                os.remove(self.path)


class _BeginAtRestoredEpoch(keras.callbacks.Callback):
    # Begins with the epoch that the weights have come to.
    def on_train_begin(self, logs: Any = None) -> None:
        epoch = self.model.take_restored_epoch()
        if epoch is not None:
            self.model._initial_epoch = epoch


def guarded(callback: keras.callbacks.Callback) -> list[keras.callbacks.Callback]:
    """Returns a callback with what makes its backups safe around it, where it is one that makes backups."""
    if not isinstance(callback, keras.callbacks.BackupAndRestore):
        return [callback]
    return [_DropHalfWrittenEpoch(callback), callback, _BeginAtRestoredEpoch()]
