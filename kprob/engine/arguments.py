"""The arguments of a network, which are looked up in the data by name."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from kprob.errors import DataError, SiteError, explain, names


def arguments_of(function: Callable, network: str) -> dict[str, bool]:
    """Returns a network's arguments: whether each is required.

    Args:
        function: The network.
        network: What it is, for messages.

    Raises:
        SiteError: It takes *args or **kwargs, or isn't a function.
    """
    if not callable(function) or isinstance(function, type):
        raise SiteError(
            explain(
                f"What should be {network} is no function.",
                received=repr(function),
                expected="a function that declares random variables"
                + (", or a guide" if "inference" in network else ""),
                fix=f"make one: {function.__name__}()" if isinstance(function, type) else "pass the function itself",
            )
        )
    arguments = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise SiteError(
                explain(
                    f"The arguments of {network} have no names.",
                    received=str(parameter),
                    expected="named arguments: each is looked up in the data by its name",
                    fix="write one argument for each covariate or site that the network takes, such as (self, x)",
                )
            )
        arguments[name] = parameter.default is parameter.empty
    return arguments


def bind(arguments: Mapping[str, bool], values: Mapping[str, Any], network: str, model_name: str) -> dict[str, Any]:
    """Returns the values of a network's arguments.

    Args:
        arguments: Its arguments: whether each is required.
        values: Data by name.
        network: "generative" or "inference", for messages.
        model_name: Name of the model, for messages.

    Raises:
        DataError: The data lacks one that is required.
    """
    bound = {}
    for name, required in arguments.items():
        if name in values:
            bound[name] = values[name]
        elif required:
            raise DataError(
                explain(
                    f"`{network}` of {model_name} needs `{name}`, which the data lacks.",
                    received=f"data for {names(values)}",
                    expected=f"data for {names(n for n, r in arguments.items() if r)}",
                    fix=f'add "{name}" to the data',
                )
            )
    return bound
