"""To which model optimizers belong, and which of its variables they know."""

import keras

from kprob.engine import Networks
from kprob.errors import CompileError, explain, names
from kprob.training.optimizers import Optimizers


def optimizers_of(optimizer: keras.optimizers.Optimizer) -> dict[str, object]:
    """Returns the optimizers that a model is trained by, with names for messages."""
    if not isinstance(optimizer, Optimizers):
        return {"optimizer": optimizer}
    return {f"optimizer[{key!r}]": part for key, part in optimizer.parts()}


def check_optimizer(optimizer: keras.optimizers.Optimizer, networks: Networks) -> None:
    """Checks that an optimizer isn't another model's: it has moments and a count of steps for certain variables.

    Args:
        optimizer: The model's optimizer.
        networks: The model's networks.

    Raises:
        CompileError: It has been built with the variables of another model.
    """
    _check_step(optimizer)
    own = {id(variable) for variable in networks.variables()} | networks.weights  # a layer may have been taken out
    for name, part in optimizers_of(optimizer).items():
        foreign = [variable for variable in known_variables(part) if id(variable) not in own]
        if foreign:
            raise CompileError(
                explain(
                    f"The {name} of {networks.model_name} belongs to another model: it has moments, and a count of steps, for "
                    "the variables that it was built with.",
                    received=f"{type(part).__name__} with the variables {names(v.path for v in foreign[:4])}",
                    expected="an optimizer of its own for each model",
                    fix=f"make another one: model.compile(..., keras.optimizers.{type(part).__name__}(...))",
                )
            )


def _check_step(optimizer: keras.optimizers.Optimizer) -> None:
    if keras.backend.backend() == "tensorflow":
        return
    for part in optimizers_of(optimizer).values():
        if getattr(type(part), "apply_gradients", None) is not keras.optimizers.Optimizer.apply_gradients:
            raise CompileError(
                explain(
                    f"Keras's steps on {keras.backend.backend().upper()} never call `apply_gradients` of an optimizer.",
                    received=f"{type(part).__name__}, which overrides `apply_gradients`",
                    expected="an optimizer that overrides `apply` or `update_step`, which Keras calls on every backend",
                    fix="write def apply(self, grads, trainable_variables=None): ... instead",
                )
            )


def lacks_variables(optimizer: keras.optimizers.Optimizer, model: keras.Model) -> bool:
    """Whether a built optimizer doesn't know variables that are trained now, such as those of a layer that was frozen."""
    return bool(_unknown_paths(optimizer, model))


def require_known(networks: Networks, model: keras.Model) -> None:
    """Raises where a callback has let variables be trained, in the middle of a fit, that the optimizer doesn't know."""
    new = _unknown_paths(model.optimizer, model)
    if new:
        raise CompileError(
            explain(
                f"A callback has set `trainable = True` in the middle of a fit of {networks.model_name}, of variables that the "
                "optimizer doesn't know.",
                received=f"{names(new[:4])}, which were frozen when the fit began",
                expected="variables that are trained from the beginning of a fit on",
                fix="end this fit, set `trainable = True`, and call `fit` again: it goes on from here",
            )
        )


def _unknown_paths(optimizer: keras.optimizers.Optimizer, model: keras.Model) -> list[str]:
    if not optimizer.built:
        return []
    known = {id(variable) for variable in known_variables(optimizer)}
    return [variable.path for variable in model.trainable_variables if id(variable) not in known]


def known_variables(optimizer: object) -> list[keras.Variable]:
    """Returns the variables that an optimizer was built with; none before that."""
    return list(getattr(optimizer, "_trainable_variables", ())) if getattr(optimizer, "built", False) else []
