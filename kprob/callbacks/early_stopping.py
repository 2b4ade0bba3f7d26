"""Stopping when nothing improves beyond noise any more."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from kprob.checks import check_count
from kprob.diagnostics import mcse_mean
from kprob.errors import CompileError, explain
from kprob.options import check_flag, check_number

LEAST_FOR_ERROR = 8


class EarlyStopping(keras.callbacks.Callback):
    """Stops a fit when the ELBO, averaged over windows of epochs, has stopped rising.

    The ELBO of an epoch is a few draws' mean, so its best value is mostly luck, and Keras's `EarlyStopping`, which waits
    for a new best one, stops at a bad time. This one compares means of windows, and counts as an improvement only a rise
    beyond their standard errors, which include autocorrelation. Many epochs still run in one compiled program: it looks at
    the end of each window.

    Args:
        monitor: What to look at; "val_elbo" where there is validation data.
        window: Epochs of a window.
        patience: Windows without improvement after which the fit stops.
        min_delta: Improvement, per datum, that is too small to count.
        mode: "max", or "min" for what should fall, such as "loss".
        restore_best_weights: Whether the model gets the weights back that it had at the end of its best window.

    Example:
        ```python
        import keras
        import kprob
        from kprob import tfd

        @kprob.probmodel
        def temperature():
            temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
            kprob.sample("sensor", tfd.Normal(temp, 1.0))

        model = temperature().compile(kprob.ELBO(), keras.optimizers.Adam(0.05))
        stop = kprob.callbacks.EarlyStopping(window=100, patience=2)
        history = model.fit({"sensor": 18.0}, epochs=10_000, callbacks=[stop], verbose=0)
        assert len(history.epoch) < 5000 and abs(model.posterior("temp").mean() - 17.4) < 0.3
        ```
    """

    def __init__(
        self,
        monitor: str = "elbo",
        window: int = 50,
        patience: int = 3,
        min_delta: float = 0.0,
        mode: str = "max",
        restore_best_weights: bool = False,
    ):
        super().__init__()
        check_count("window", window, 2, CompileError)
        check_count("patience", patience, 1, CompileError)
        check_number("min_delta", min_delta, 0.0, ends="[", example=0.0, error=CompileError)
        check_flag("restore_best_weights", restore_best_weights, CompileError)
        if mode not in ("max", "min"):
            raise CompileError(
                explain(
                    "`mode` is one of two words.", received=repr(mode), expected='"max" or "min"', fix='write "max"'
                )
            )
        self.monitor, self.window, self.patience, self.min_delta = monitor, window, patience, min_delta
        self.mode, self.restore_best_weights = mode, restore_best_weights
        self.stopped_epoch: int | None = None

    @property
    def epochs_between(self) -> int:
        """After how many epochs the callback acts: those between may run in one program."""
        return self.window

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self.values: list[float] = []
        self.best, self.best_error, self.waited = -np.inf, 0.0, 0
        self.best_weights: list[tuple[keras.Variable, np.ndarray]] | None = None
        self.stopped_epoch = None

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        logs = logs or {}
        if self.monitor not in logs:
            raise CompileError(
                explain(
                    f"EarlyStopping looks at `{self.monitor}`, which the fit doesn't log.",
                    received=f"logs {sorted(logs)}",
                    expected="one of them",
                    fix='write monitor="elbo", or pass validation_data for "val_elbo"',
                )
            )
        self.values.append(float(logs[self.monitor]) * (1 if self.mode == "max" else -1))
        if (epoch + 1) % self.window == 0:
            self._end_window(epoch)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        if self.restore_best_weights and self.best_weights is not None:
            for variable, value in self.best_weights:
                variable.assign(value)

    def _end_window(self, epoch: int) -> None:
        values = np.array(self.values)
        self.values = []
        mean, error = float(np.mean(values)), _error(values)
        if mean - self.best > self.min_delta + np.hypot(error, self.best_error):
            self.best, self.best_error, self.waited = mean, error, 0
            if self.restore_best_weights:
                self.best_weights = [(v, keras.ops.convert_to_numpy(v)) for v in self.model.trainable_variables]
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.model.stop_training, self.stopped_epoch = True, epoch


def _error(values: np.ndarray) -> float:
    if len(values) < LEAST_FOR_ERROR or np.ptp(values) == 0:
        return float(np.std(values) / np.sqrt(len(values)))
    return float(mcse_mean(values[None]))
