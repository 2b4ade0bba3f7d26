"""Finding the classes and functions that a saved config names, among those that the program itself brings along.

Nothing is imported and nothing is made from code in the file: a name is looked up in `custom_objects`, among what is
registered with Keras, and among the subclasses of `ProbabilisticModel` that have been defined.
"""

import sys
import types
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import keras

from kprob.errors import ArchiveError, did_you_mean, explain, names
from kprob.namespaces import FORMER

_BASE = "kprob.models>ProbabilisticModel"
_KERAS_MODULES = ("activations", "constraints", "initializers", "losses", "metrics", "optimizers", "regularizers")


class _Reference(NamedTuple):
    # What a config names: a class, a function, or (where there is no kind) code in the file itself.
    name: str
    module: str | None
    kind: type | None

    @property
    def short_name(self) -> str:
        return self.name.rpartition(">")[2]


def find_objects(config: Any, custom_objects: Mapping[str, Any] | None, safe_mode: bool, file: str) -> dict[str, Any]:
    """Returns the classes and functions that a config names, by the names that Keras will ask for.

    Args:
        config: What was saved.
        custom_objects: The user's, by name; they go before all others.
        safe_mode: Whether code in the file is refused.
        file: Name of the file, for messages.

    Raises:
        ArchiveError: One isn't there, or several of one name are; or the file holds code and `safe_mode` is on.
    """
    customs = dict(custom_objects or {})
    objects, missing = dict(customs), {}
    for reference in _references(config):
        if reference.kind is None and safe_mode:
            raise ArchiveError(_code_message(file))
        if reference.kind is None or reference.name in objects:
            continue
        thing = customs.get(reference.short_name) or _registered(reference.name) or _defined(reference, file)
        if thing is None:
            missing[reference.short_name] = reference.module
        else:
            objects[reference.name] = thing
    if missing:
        raise ArchiveError(_missing_message(missing, customs, file))
    return objects


def _references(config: Any) -> Iterator[_Reference]:
    # All that a config names and Keras doesn't have itself.
    if isinstance(config, list):
        for item in config:
            yield from _references(item)
    if not isinstance(config, dict):
        return
    kind, module = config.get("class_name"), config.get("module")
    if kind == "__lambda__" or (kind == "Lambda" and module == "keras.layers"):
        yield _Reference(kind, None, None)
    elif isinstance(kind, str) and "config" in config and not kind.startswith("__"):
        name = config["config"] if kind == "function" else config.get("registered_name") or kind
        if isinstance(name, str) and not _is_keras(name, module):
            yield _Reference(name, module, types.FunctionType if kind == "function" else type)
    for item in config.values():
        yield from _references(item)


def _is_keras(name: str, module: Any) -> bool:
    if module == "builtins":  # so Keras writes functions, be they its own or not
        return any(hasattr(getattr(keras, part), name) for part in _KERAS_MODULES)
    return isinstance(module, str) and module.split(".")[0] == "keras"


def _registered(name: str) -> Any:
    # What is registered under this very name, or under the one that a class of kprob's has since it moved.
    package, _, short = name.rpartition(">")
    registered = keras.saving.get_registered_object(name)
    if registered is None and package in FORMER:
        return keras.saving.get_registered_object(f"{FORMER[package]}>{short}")
    return registered


def _defined(reference: _Reference, file: str) -> Any:
    # The one thing of that name: what was registered when it was saved, perhaps by another module's name, or a model.
    # Of several, the one that its module shows today.
    name, short, kind = reference.name, reference.short_name, reference.kind
    if kind is None or name.startswith("kprob."):  # kprob's own are only found by their whole names
        return None
    registered = keras.saving.get_custom_objects().items() if ">" in name else ()
    things: list = [thing for key, thing in registered if key.rpartition(">")[2] == short and isinstance(thing, kind)]
    if kind is type:
        things += [cls for cls in _subclasses(keras.saving.get_registered_object(_BASE)) if cls.__name__ == short]
    things = list({id(thing): thing for thing in things}.values())
    if len(things) < 2:
        return things[0] if things else None
    home = reference.module or "__main__"
    current = [thing for thing in things if getattr(sys.modules.get(home), short, None) is thing]
    same = [thing for thing in things if thing.__module__ == home]
    places = {(thing.__module__, thing.__qualname__) for thing in same or things}
    if current or len(places) == 1:
        return current[0] if current else (same or things)[-1]
    raise ArchiveError(
        explain(
            f"{file} needs `{short}`, and there are several.",
            received=names(f"{thing.__module__}.{thing.__qualname__}" for thing in things),
            expected=f"the one that was saved, which was in {home}",
            fix=f'name it: kprob.load_model("{file}", custom_objects={{"{short}": {short}}})',
        )
    )


def _subclasses(cls: type) -> list[type]:
    children: list[type] = type.__subclasses__(cls)
    return [descendant for child in children for descendant in (child, *_subclasses(child))]


def _missing_message(missing: Mapping[str, str | None], customs: Mapping[str, Any], file: str) -> str:
    first, module = next(iter(missing.items()))
    source = f"from {module} import {first}" if module not in (None, "__main__", "builtins") else f"define `{first}`"
    return explain(
        f"{file} was saved with classes or functions that aren't here.",
        received=f"custom_objects with {names(customs)}.{did_you_mean(first, customs)}",
        expected=names(missing),
        fix=f"{source}, then pass what isn't found by itself: "
        f'kprob.load_model("{file}", custom_objects={{"{first}": {first}}})',
    )


def _code_message(file: str) -> str:
    return explain(
        f"{file} holds Python code (a lambda), and loading it would let that code run.",
        received="safe_mode=True",
        expected="a file without code, such as one whose functions have names",
        fix="if you trust whoever made the file, load it with safe_mode=False",
    )
