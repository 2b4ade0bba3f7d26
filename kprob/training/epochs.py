"""Epochs outside Keras's own loop: whatever a fit does in them, Keras's callbacks see it as they see Keras's epochs."""

from collections.abc import Callable

import keras

from kprob.training.plan import FitPlan

Logs = dict[str, float]


class EpochDriver:
    """Calls Keras's callbacks around the epochs of one `fit`.

    Args:
        model: The model, which gets a new `history`.
        plan: What `fit` is to do.
        epochs: Number of epochs, for the progress bar.
        steps: Batches of an epoch, for the progress bar.
    """

    def __init__(self, model: keras.Model, plan: FitPlan, epochs: int, steps: int = 1):
        self.model, self.plan = model, plan
        self.callbacks = keras.callbacks.CallbackList(
            plan.callbacks,
            add_history=True,
            add_progbar=plan.verbose != 0,
            verbose=1 if plan.verbose == "auto" else plan.verbose,
            epochs=epochs,
            steps=steps,
            model=model,
        )

    @property
    def stopped(self) -> bool:
        """Whether a callback has ended the training."""
        return self.model.stop_training

    def begin(self) -> int:
        """Begins the fit.

        Returns:
            The first epoch: a callback that brings a backup back may have set it.
        """
        self.model.stop_training = False
        self.model._initial_epoch = None
        self.callbacks.on_train_begin()
        return self.model._initial_epoch or self.plan.initial_epoch

    def begin_epoch(self, epoch: int) -> None:
        """Begins an epoch."""
        self.callbacks.on_epoch_begin(epoch)

    def begin_batch(self, batch: int) -> None:
        """Begins a batch, or several that are run as one."""
        self.callbacks.on_train_batch_begin(batch)

    def end_batch(self, batch: int, logs: Logs) -> None:
        """Ends a batch, with the logs of the epoch so far."""
        self.callbacks.on_train_batch_end(batch, logs)

    def end_epoch(self, epoch: int, logs: Logs) -> None:
        """Ends an epoch."""
        self.callbacks.on_epoch_end(epoch, logs)

    def whole_epoch(self, epoch: int, logs: Logs, complete: Callable[[int, Logs], None]) -> None:
        """Tells callbacks of an epoch that has run already, one of many in a call.

        Args:
            epoch: Its number.
            logs: What was logged.
            complete: `(epoch, logs)` completes the logs before callbacks see them.
        """
        # Straight to the callbacks: Keras's list would look for tensors in numbers, which takes longer than a step.
        for callback in self.callbacks.callbacks:
            callback.on_epoch_begin(epoch)
        complete(epoch, logs)
        for callback in self.callbacks.callbacks:
            callback.on_epoch_end(epoch, logs)

    def end(self, logs: Logs) -> keras.callbacks.History:
        """Ends the fit, and returns Keras's History."""
        self.callbacks.on_train_end(logs)
        return self.model.history
