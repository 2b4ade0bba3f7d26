"""What one `fit` is to do, checked."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kprob.checks import check_count
from kprob.errors import CompileError, did_you_mean, explain, names
from kprob.options import check_flag, check_optional_count


@dataclass
class FitPlan:
    """What one `fit` is to do; the fields are Keras's arguments."""

    epochs: int = 1
    batch_size: int | None = None
    verbose: object = "auto"
    callbacks: object = None
    validation_split: float = 0.0
    validation_data: object = None
    shuffle: bool = True
    sample_weight: object = None
    initial_epoch: int = 0
    steps_per_epoch: int | None = None
    validation_steps: int | None = None
    validation_batch_size: int | None = None
    validation_freq: object = 1
    num_data: int | None = None
    class_weight: object = None
    check: bool = True


def make_plan(options: dict) -> FitPlan:
    """Returns the plan that the arguments of `fit` make.

    Raises:
        TypeError: An argument is unknown.
        CompileError: A value isn't what it should be.
    """
    known = list(FitPlan.__dataclass_fields__)
    unknown = [name for name in options if name not in known]
    if unknown:
        guess = did_you_mean(unknown[0], known)
        raise TypeError(f"fit() got an unexpected argument `{unknown[0]}`.{guess} It takes {names(known)}.")
    plan = FitPlan(**options)
    if plan.class_weight is not None:
        raise CompileError(
            explain(
                "`class_weight` has no meaning here: a model may have any number of observed sites.",
                received="class_weight",
                expected="weights of rows",
                fix="pass `sample_weight`, one weight per row",
            )
        )
    check_count("epochs", plan.epochs, 0, CompileError)
    check_count("initial_epoch", plan.initial_epoch, 0, CompileError)
    for name in ("batch_size", "steps_per_epoch", "validation_steps", "validation_batch_size", "num_data"):
        check_optional_count(name, getattr(plan, name), error=CompileError)
    check_flag("shuffle", plan.shuffle, CompileError)
    check_flag("check", plan.check, CompileError)
    plan.validation_freq = _validation_epochs(plan.validation_freq)
    _check_split(plan.validation_split)
    _check_callbacks(plan.callbacks)
    return plan


def _check_split(share: Any) -> None:
    if isinstance(share, bool) or not isinstance(share, int | float | np.number) or not 0 <= share < 1:
        raise CompileError(
            explain(
                "`validation_split` is the share of the rows, the last ones, that is held out.",
                received=f"validation_split={share!r}",
                expected="a number from 0 up to, but not including, 1",
                fix="write validation_split=0.1, or pass validation_data",
            )
        )


def _validation_epochs(frequency: Any) -> int | list[int]:
    # Keras's: every so many epochs, or a list of epochs counted from 1.
    if not isinstance(frequency, list | tuple | set | range | np.ndarray):
        check_count("validation_freq", frequency, 1, CompileError)
        return int(frequency)
    epochs = list(frequency)
    for epoch in epochs:
        check_count("validation_freq", epoch, 1, CompileError)
    return [int(epoch) for epoch in epochs]


def _check_callbacks(callbacks: Any) -> None:
    if callbacks is None or isinstance(callbacks, keras.callbacks.CallbackList):
        return
    for callback in callbacks if isinstance(callbacks, list | tuple) else [callbacks]:
        if not isinstance(callback, keras.callbacks.Callback):
            name = callback.__name__ if isinstance(callback, type) else None
            raise CompileError(
                explain(
                    "`callbacks` are Keras's callbacks.",
                    received=repr(callback),
                    expected="a keras.callbacks.Callback, or a list of them",
                    fix=f"make one: callbacks=[{name}(...)]" if name else "pass callbacks=[keras.callbacks....]",
                )
            )
