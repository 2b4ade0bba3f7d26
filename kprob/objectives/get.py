"""From what `compile` received to an objective."""

import keras

from kprob.errors import CompileError, explain
from kprob.objectives.elbo import ELBO
from kprob.objectives.objective import FunctionObjective, Objective


def get(objective) -> Objective:
    """Returns an objective: an `Objective`, a function of two traces, or the name "elbo".

    Raises:
        CompileError: It is none of these, such as an optimizer.
    """
    if isinstance(objective, Objective):
        return objective
    if isinstance(objective, str) and objective.lower() == "elbo":
        return ELBO()
    if isinstance(objective, type) and issubclass(objective, Objective):
        return objective()
    if isinstance(objective, keras.optimizers.Optimizer) or isinstance(objective, str):
        raise CompileError(
            explain(
                "`compile` takes the objective first and the optimizer second.",
                received=f"{_name(objective)} as the objective",
                expected='compile(objective, optimizer), such as compile(kprob.ELBO(), "adam")',
                fix="swap them, or write compile(objective=..., optimizer=...)",
            )
        )
    if not callable(objective):
        raise CompileError(
            explain(
                "`compile` needs an objective.",
                received=repr(objective),
                expected="kprob.ELBO() or another objective, or a function of (generative_trace, inference_trace)",
                fix='write model.compile(kprob.ELBO(), "adam")',
            )
        )
    return FunctionObjective(objective)


def _name(value) -> str:
    return repr(value) if isinstance(value, str) else type(value).__name__
