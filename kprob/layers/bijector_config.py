"""A bijector as a config that Keras can write, and back: its class and its constructor's arguments."""

from typing import Any, TypeAlias

import keras
import numpy as np

from kprob.backend import is_tensor, tfb
from kprob.errors import ArchiveError, SiteError, explain

BijectorLike: TypeAlias = Any  # a bijector of TFP, its name, several names, or what `bijector_config` wrote


def bijector_config(bijector: Any) -> dict[str, Any]:
    """Returns a bijector as its class and its constructor's arguments.

    Raises:
        SiteError: It is no bijector of TFP's.
    """
    name = type(bijector).__name__.lstrip("_")
    if not hasattr(tfb, name):
        raise SiteError(
            explain(
                f"A bijector of class {name} can't be saved.",
                expected="a bijector of TFP, kprob.tfb",
                fix="use one, or a Chain of several; for a learned one write a flow",
            )
        )
    kept = {k: v for k, v in bijector.parameters.items() if k not in ("name", "validate_args", "parameters")}
    return {"bijector": name, "arguments": {k: _argument_config(v) for k, v in kept.items() if v is not None}}


def _argument_config(value: Any) -> Any:
    if isinstance(value, tfb.Bijector):
        return bijector_config(value)
    if isinstance(value, list | tuple):
        return [_argument_config(item) for item in value]
    if is_tensor(value):
        value = np.asarray(keras.ops.convert_to_numpy(value))
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def restored_bijector(config: BijectorLike) -> Any:
    """Returns the bijector that `bijector_config` wrote; a name stands for a bijector without arguments.

    Raises:
        ArchiveError: TFP has no such bijector.
    """
    if isinstance(config, str):
        config = {"bijector": config, "arguments": {}}
    if isinstance(config, list | tuple):
        return tfb.Chain([restored_bijector(item) for item in reversed(config)])
    if not isinstance(config, dict):
        return config
    cls = getattr(tfb, config["bijector"], None)
    if not (isinstance(cls, type) and issubclass(cls, tfb.Bijector)):
        raise ArchiveError(
            explain(
                f"TFP has no bijector {config['bijector']!r}.", expected="the name of a bijector of TFP, such as 'Exp'"
            )
        )
    return cls(**{name: _restored_argument(value) for name, value in config["arguments"].items()})


def _restored_argument(value: Any) -> Any:
    if isinstance(value, dict) and "bijector" in value:
        return restored_bijector(value)
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [_restored_argument(item) for item in value]
    array = np.asarray(value)
    return array.astype("float32") if array.dtype.kind == "f" else array.astype("int32") if array.ndim else value
