"""A model written as a function, InferPy's way."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import keras

from kprob.errors import KprobError, SiteError, did_you_mean, explain, names
from kprob.models.probabilistic_model import ProbabilisticModel
from kprob.saving import register


def probmodel(function: Callable) -> Callable:
    """Turns a function that declares random variables into a maker of models.

    Arguments given to the maker are settings and networks, which become part of the model; an argument that isn't given
    and has no default is a covariate, looked up in the data.

    Args:
        function: Declares random variables by `kprob.sample` and layers.

    Returns:
        A function that returns a `ProbabilisticModel`. It takes the arguments of `function`, and `inference` (a function,
        a guide or a model made by another `probmodel`) and `name`.

    Example:
        ```python
        import kprob
        from kprob import tfd

        @kprob.probmodel
        def temperature(sensor_scale=1.0):
            temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
            kprob.sample("sensor", tfd.Normal(temp, sensor_scale))

        model = temperature(sensor_scale=0.5)
        assert set(model.prior().sample(3)) == {"temp", "sensor"}
        ```

    Reference:
        Cózar, Cabañas, Salmerón and Masegosa (2020), "InferPy: probabilistic modeling with deep neural networks made easy".
    """
    register_function(function)

    @functools.wraps(function)
    def make(*args: Any, inference: Any = None, name: str | None = None, **kwargs: Any) -> FunctionModel:
        signature = inspect.signature(function)
        try:
            bound = signature.bind_partial(*args, **kwargs)
        except TypeError as error:
            unknown = [k for k in kwargs if k not in signature.parameters]
            guess = did_you_mean(unknown[0], signature.parameters) if unknown else ""
            raise KprobError(
                explain(
                    f"Model `{function.__name__}` can't take these arguments: {error}.",
                    received=names(kwargs),
                    expected=f"arguments {names(signature.parameters)}.{guess}",
                    fix="correct the name, or add the argument to the function",
                )
            ) from error
        return FunctionModel(function, dict(bound.arguments), inference=inference, name=name)

    return make


@register
class FunctionModel(ProbabilisticModel):
    """A model whose generative network is a function. `probmodel` makes it.

    Args:
        function: The function.
        arguments: Those of its arguments that are given, by name; layers among them become part of the model.
        inference: The inference network, a guide, or None for the automatic guide.
        name: Keras's name; that of the function where it's left out.
    """

    def __init__(
        self,
        function: Callable,
        arguments: dict | None = None,
        inference: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        name = name or (function.__name__ if function.__name__.isidentifier() else None)
        super().__init__(generative=_bind(function, arguments or {}), inference=inference, name=name, **kwargs)
        self._state.context.networks.model_name = function.__name__  # by which users know it
        # Past Keras's tracking: the layers among them are tracked as modules.
        object.__setattr__(self, "arguments", dict(arguments or {}))
        for key, value in (arguments or {}).items():
            if isinstance(value, keras.layers.Layer):
                self.modules[key] = value


def _bind(function: Callable, arguments: dict) -> Callable:
    # The covariates are what is left: a wrapper whose signature shows only them.
    signature = inspect.signature(function)
    left = [p.replace(kind=p.KEYWORD_ONLY) for n, p in signature.parameters.items() if n not in arguments]
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in signature.parameters.values()):
        raise SiteError(
            explain(
                f"Model `{function.__name__}` takes *args or **kwargs.",
                received=f"{function.__name__}{signature}",
                expected="named arguments: an argument that isn't given is looked up in the data by its name",
                fix="name each argument",
            )
        )

    @functools.wraps(function)
    def network(**covariates: Any) -> None:
        return function(**arguments, **covariates)

    setattr(network, "__signature__", signature.replace(parameters=left))  # noqa: B010  (a function has no such attribute yet)
    return network


def register_function(function: Callable) -> None:
    """Registers a function under its module and name, so that saved models find it again."""
    keras.saving.register_keras_serializable(package=function.__module__)(function)
