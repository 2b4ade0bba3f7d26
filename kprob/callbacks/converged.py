"""Stopping a sampler when its chains agree and there are enough effective draws."""

from collections.abc import Mapping
from typing import Any, TypeGuard

import keras

from kprob.diagnostics.rhat import MAX_RHAT
from kprob.errors import CompileError, explain


class Converged(keras.callbacks.Callback):
    """Stops a sampler's fit as soon as R-hat is small and the effective sample size large, both for every latent.

    Either alone says little: chains that agree may have few effective draws, and many effective draws of chains that
    disagree are of different places. Both are looked at after each block (`block_size`) of draws, so that a large
    `num_samples` is only what the fit makes at most.

    Args:
        max_rhat: The largest R-hat must be below it.
        min_ess: The smallest effective sample size of the bulk, all chains together, must be above it.

    Attributes:
        stopped_epoch: The epoch after which the fit was stopped, or None.

    Example:
        ```python
        import kprob
        from kprob import tfd

        @kprob.probmodel
        def temperature():
            temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
            kprob.sample("sensor", tfd.Normal(temp, 1.0))

        model = temperature().compile(kprob.NUTS(num_warmup=200, num_samples=5000, num_chains=2))
        model.fit({"sensor": 18.0}, callbacks=[kprob.callbacks.Converged(max_rhat=1.05, min_ess=100)], verbose=0)
        assert 50 <= model.draws.num_draws < 5000
        ```

    Reference:
        Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), "Rank-normalization, folding, and localization: an
        improved R-hat for assessing convergence of MCMC", from which the standard values are.
    """

    def __init__(self, max_rhat: float = MAX_RHAT, min_ess: float = 400.0):
        super().__init__()
        if not (_is_number(max_rhat) and max_rhat > 1.0 and _is_number(min_ess) and min_ess > 0.0):
            raise CompileError(
                explain(
                    "Converged takes a bound for R-hat, which is never far below 1, and one for the effective sample size.",
                    received=f"max_rhat={max_rhat!r}, min_ess={min_ess!r}",
                    expected="a number above 1, and a number above 0",
                    fix="write Converged(max_rhat=1.01, min_ess=400)",
                )
            )
        self.max_rhat, self.min_ess = max_rhat, min_ess
        self.stopped_epoch: int | None = None

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self.stopped_epoch = None

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        logs = logs or {}
        if "max_rhat" not in logs or "min_ess" not in logs:
            raise CompileError(
                explain(
                    "Converged looks at `max_rhat` and `min_ess`, which the fit doesn't log.",
                    received=f"logs {sorted(logs)}",
                    expected="the fit of a model that was compiled with a sampler of Markov chains",
                    fix="compile with kprob.NUTS(), or pass kprob.callbacks.EarlyStopping()",
                )
            )
        # Not `>=` of the opposite: a NaN is no agreement.
        if logs["max_rhat"] < self.max_rhat and logs["min_ess"] > self.min_ess:
            self.model.stop_training, self.stopped_epoch = True, epoch


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
