"""The course of a fit in TensorBoard: ELBO, KL divergence and k-hat."""

import os
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from kprob.backend.summaries import summary_writer
from kprob.checks import check_count
from kprob.errors import CompileError
from kprob.evaluation.guide_diagnosis import k_hat_of


class Monitor(keras.callbacks.Callback):
    """Writes what a fit logs (`elbo`, `log_likelihood`, `kl`, `loss`, `val_...`) and k-hat for TensorBoard.

    k-hat is the 90 % quantile over the rows where each row has its own, else the one there is: below 0.7, q covers the
    posterior (`model.diagnose(data)` weighs more than that). Many epochs still run in one compiled program: the callback
    acts once in `every` epochs.

    Args:
        log_dir: Folder of the logs; `tensorboard --logdir` shows them.
        data: Data by name for which k-hat is computed; without it there is none.
        every: Epochs from one k-hat to the next, and between writings.
        num_samples: Draws of q for k-hat.
        seed: Of these draws.

    Example:
        ```python
        import tempfile

        import kprob
        from kprob import tfd

        @kprob.probmodel
        def temperature():
            temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
            kprob.sample("sensor", tfd.Normal(temp, 1.0))

        model = temperature().compile(kprob.ELBO(), "adam")
        monitor = kprob.callbacks.Monitor(tempfile.mkdtemp(), data={"sensor": 18.0}, every=50)
        model.fit({"sensor": 18.0}, epochs=100, callbacks=[monitor], verbose=0)
        assert len(monitor.k_hats) == 2
        ```
    """

    def __init__(
        self,
        log_dir: str | os.PathLike,
        data: Any = None,
        every: int = 10,
        num_samples: int = 500,
        seed: int = 0,
    ):
        super().__init__()
        check_count("every", every, 1, CompileError)
        check_count("num_samples", num_samples, 25, CompileError)
        check_count("seed", seed, 0, CompileError)
        self.log_dir, self.data, self.every = os.fspath(log_dir), data, every
        self.num_samples, self.seed = num_samples, seed
        self.k_hats: dict[int, float] = {}

    @property
    def epochs_between(self) -> int:
        """After how many epochs the callback acts: those between may run in one program."""
        return self.every

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self.k_hats = {}
        self._writer = summary_writer(self.log_dir)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        for name, value in (logs or {}).items():
            self._writer.scalar(name, float(value), epoch)
        if (epoch + 1) % self.every == 0:
            if self.data is not None:
                k_hat = k_hat_of(self.model.networks, self.data, self.num_samples, self.seed)
                self.k_hats[epoch] = float(np.quantile(k_hat, 0.9))
                self._writer.scalar("k_hat", self.k_hats[epoch], epoch)
            self._writer.flush()

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        self._writer.close()
