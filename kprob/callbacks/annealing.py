"""Annealing: a number of the objective that changes from epoch to epoch."""

from collections.abc import Callable, Mapping
from typing import Any

import keras

from kprob.checks import check_count
from kprob.errors import CompileError, explain
from kprob.models import ProbabilisticModel
from kprob.options import check_number


class Annealing(keras.callbacks.Callback):
    """Changes a number of the objective, such as the β of `kprob.objectives.BetaELBO`, at the start of each epoch.

    It goes evenly from `start` to `stop` in the first `epochs` epochs and stays there, or is what `schedule` says. The
    number is a Keras variable: the compiled loop sees it change, and nothing is compiled anew.

    Args:
        epochs: Epochs until `stop` is reached.
        start: The number in the first epoch.
        stop: The number from epoch `epochs` on.
        schedule: A function of the epoch, counted from 0, instead.
        coefficient: Name of the objective's number.

    Example:
        ```python
        import kprob
        from kprob import tfd

        @kprob.probmodel
        def temperature():
            temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
            kprob.sample("sensor", tfd.Normal(temp, 1.0))

        model = temperature().compile(kprob.objectives.BetaELBO(), "adam")
        model.fit({"sensor": 18.0}, epochs=3, callbacks=[kprob.callbacks.Annealing(epochs=4)], verbose=0)
        assert float(model.objective.beta.numpy()) == 0.5
        ```

    Reference:
        Bowman and others (2016), "Generating sentences from a continuous space", arXiv:1511.06349.
    """

    def __init__(
        self,
        epochs: int = 10,
        start: float = 0.0,
        stop: float = 1.0,
        schedule: Callable[[int], float] | None = None,
        coefficient: str = "beta",
    ):
        super().__init__()
        check_count("epochs", epochs, 0, CompileError)
        check_number("start", start, example=0.0, error=CompileError)
        check_number("stop", stop, example=1.0, error=CompileError)
        if schedule is not None and not callable(schedule):
            raise CompileError(
                explain(
                    "`schedule` says what the number is in each epoch.",
                    received=f"schedule={schedule!r}",
                    expected="a function from the epoch, counted from 0, to a number",
                    fix="write schedule=lambda epoch: min(1.0, epoch / 10)",
                )
            )
        self.epochs, self.start, self.stop = epochs, start, stop
        self.schedule, self.coefficient = schedule, coefficient

    def value(self, epoch: int) -> float:
        """Returns the number in an epoch, counted from 0."""
        if self.schedule is not None:
            found = self.schedule(epoch)
            check_number(f"schedule({epoch})", found, error=CompileError)
            return float(found)
        share = 1.0 if self.epochs <= 0 else min(1.0, epoch / self.epochs)
        return self.start + share * (self.stop - self.start)

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        objective = self.model.objective if isinstance(self.model, ProbabilisticModel) else None
        if not isinstance(getattr(objective, self.coefficient, None), keras.Variable):
            raise CompileError(
                explain(
                    f"The objective has no number `{self.coefficient}` to anneal.",
                    received=f"Annealing(coefficient={self.coefficient!r}) and {type(objective).__name__}",
                    expected="an objective with such a Keras variable, such as kprob.objectives.BetaELBO(), which has `beta`",
                    fix='compile(kprob.objectives.BetaELBO(), "adam")',
                )
            )

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        getattr(self.model.objective, self.coefficient).assign(self.value(epoch))
