"""The objective that `compile` received: an object, a function, or a name."""

import inspect
from collections.abc import Callable

import keras

from kprob.errors import CompileError, did_you_mean, explain
from kprob.objectives.elbo import ELBO
from kprob.objectives.objective import FunctionObjective, Objective


def get(objective: object) -> Objective:
    """Returns an objective: an `Objective`, a function of two traces, or the name "elbo".

    Args:
        objective: What `compile` received.

    Raises:
        CompileError: It is none of these, such as an optimizer.
    """
    if isinstance(objective, Objective):
        return objective
    if isinstance(objective, str) and objective.lower() == "elbo":
        return ELBO()
    if isinstance(objective, type) and issubclass(objective, Objective):
        return objective()
    if isinstance(objective, str) and not _is_optimizer(objective):
        raise CompileError(
            explain(
                f"There is no objective {objective!r}.{did_you_mean(objective, ['elbo'])}",
                received=f"{objective!r} as the objective",
                expected='"elbo", an objective such as kprob.ELBO(), or a function of the two traces',
                fix='write model.compile(kprob.ELBO(), "adam"); losses of Keras have no place: the model is the loss',
            )
        )
    if _is_optimizer(objective):
        raise CompileError(
            explain(
                "`compile` takes the objective first and the optimizer second.",
                received=f"{_name(objective)} as the objective",
                expected='compile(objective, optimizer), such as compile(kprob.ELBO(), "adam")',
                fix="swap them, or write compile(objective=..., optimizer=...)",
            )
        )
    if not callable(objective) or isinstance(objective, type) or _is_of_keras(objective):
        raise CompileError(
            explain(
                "`compile` needs an objective.",
                received=_name(objective),
                expected="kprob.ELBO() or another objective, or a function of (generative_trace, inference_trace)",
                fix='write model.compile(kprob.ELBO(), "adam")',
            )
        )
    _check_arguments(objective)
    return FunctionObjective(objective)


def _is_optimizer(objective: object) -> bool:
    if isinstance(objective, str):
        return objective.lower() in {name.lower() for name in dir(keras.optimizers) if not name.startswith("_")}
    cls = objective if isinstance(objective, type) else type(objective)
    return issubclass(cls, keras.optimizers.Optimizer)


def _is_of_keras(objective: object) -> bool:
    # A loss or a metric: callable with two arguments, and yet no objective.
    module = getattr(objective, "__module__", None) or type(objective).__module__
    return module.split(".")[0] == "keras"


def _check_arguments(function: Callable) -> None:
    try:
        inspect.signature(function).bind(None, None)
    except TypeError as error:
        raise CompileError(
            explain(
                "An objective that is a function takes the two traces.",
                received=f"{getattr(function, '__name__', repr(function))}{inspect.signature(function)}",
                expected="function(generative_trace, inference_trace)",
                fix="write def objective(generative_trace, inference_trace): return generative_trace.log_prob() - "
                "inference_trace.log_prob()",
            )
        ) from error
    except ValueError:  # a built-in function, which doesn't tell its arguments
        return


def _name(value: object) -> str:
    return repr(value) if isinstance(value, str) else getattr(value, "__name__", type(value).__name__)
