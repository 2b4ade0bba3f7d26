"""What a model must have before it can be fitted, saved or asked, and what is said where it hasn't."""

from collections.abc import Mapping

import keras

from kprob import saving
from kprob.engine import Networks
from kprob.errors import ArchiveError, CompileError, KprobError, SiteError, explain, names

# What kprob itself renews in a model that is built.
_RENEWED = ("objective_state", "optimizer")


def require_initialised(model: keras.Model) -> None:
    """Raises where a subclass forgot to call its base class's constructor."""
    name = type(model).__name__
    if "_state" not in vars(model):
        raise SiteError(
            explain(
                f"{name} was made without its base class.",
                received=f"{name}.__init__, which doesn't call super().__init__",
                expected="super().__init__(**kwargs) as the first line of __init__",
                fix="write def __init__(self, ..., **kwargs): super().__init__(**kwargs)",
            )
        )


def require_same_layers(model: keras.Model, name: str, value: object) -> None:
    """Raises where a layer or a variable of a built model is replaced, added or taken away."""
    held = vars(model)
    if not held.get("built") or name.startswith("_") or name in _RENEWED or "_state" not in held:
        return
    before = held.get(name)
    if not (_has_state(value) or _has_state(before)) or value is before:
        return
    new = f"self.{name} = {type(value).__name__}" if value is not None else f"del self.{name}"
    raise SiteError(
        explain(
            f"The layers of {type(model).__name__} can't change any more: guide, optimizer and saved files know those that it was "
            "built with.",
            received=f"{new}, where it was {'nothing' if before is None else type(before).__name__}",
            expected="the layers that were made in `__init__`",
            fix=f"make a new model with other layers, or take over weights: model.{name}.set_weights(other.get_weights())",
        )
    )


def _has_state(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(_has_state(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(_has_state(item) for item in value)
    return isinstance(value, keras.layers.Layer | keras.Variable) and not isinstance(value, keras.metrics.Metric)


def require_compiled(model: keras.Model, model_name: str, verb: str) -> None:
    """Raises where a model was never compiled."""
    if not model.compiled:
        raise CompileError(
            explain(
                f"`{verb}` needs a compiled model.",
                received=f"{model_name} that was never compiled",
                expected="an objective and an optimizer",
                fix='call model.compile(kprob.ELBO(), "adam") first',
            )
        )


def require_all_weights(model: keras.Model, networks: Networks) -> None:
    """Raises where a model that is to be saved has some weights but not all."""
    if not networks.built and model.weights and networks.structure is not None:
        raise ArchiveError(
            explain(
                f"This {networks.model_name} can't be saved yet: it was only drawn from, and lacks weights.",
                received=f"weights {names(list(saving.variables_of(model)[0])[:4])}, and none of the inference's",
                expected="a model that has seen data",
                fix="call model.evaluate(data) or fit first, or save it before `prior`",
            )
        )


def require_variables(networks: Networks) -> None:
    """Raises where a model that weights are to be loaded into has no variables yet."""
    if not networks.built:
        raise KprobError(
            explain(
                f"`load_weights` needs a {networks.model_name} whose variables have been made.",
                received="a model that was never fitted, evaluated or loaded",
                fix="call model.evaluate(data) first, or load the whole model with kprob.load_model",
            )
        )


def no_generative_network(model_name: str) -> str:
    """Returns the message on a model without a generative network."""
    return explain(
        f"{model_name} has no generative network.",
        received="a model without `generative`",
        expected="a method `generative(self, ...)` that declares the random variables",
        fix="override it in the subclass, or pass generative=function to the constructor",
    )
