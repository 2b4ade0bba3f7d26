"""Finding the classes and functions that a saved config names, among those that the program has itself brought along.

Nothing is imported and nothing is made from code in the file: a name is looked up in `custom_objects`, among what is
registered with Keras, and among the subclasses of `ProbabilisticModel` that have been defined.
"""

import sys
import types
from collections.abc import Iterator, Mapping

import keras

from kprob.errors import ArchiveError, did_you_mean, explain, names

_CODE = None
_BASE = "kprob.models>ProbabilisticModel"
_PARTS = ("activations", "constraints", "initializers", "losses", "metrics", "optimizers", "regularizers")


def find_objects(config, custom_objects: Mapping | None, safe_mode: bool, file: str) -> dict:
    """Returns the classes and functions that a config names, by the names that Keras will ask for.

    Args:
        config: What was saved.
        custom_objects: The user's, by name; they go before all others.
        safe_mode: Whether code in the file is refused.
        file: Name of the file, for messages.

    Raises:
        ArchiveError: One isn't there, or several of one name are; or the file holds code and `safe_mode` is on.
    """
    given = dict(custom_objects or {})
    found, missing = dict(given), {}
    for name, module, kind in _named(config):
        if kind == _CODE and safe_mode:
            raise ArchiveError(_code_message(file))
        if kind == _CODE or name in found:
            continue
        short = name.rpartition(">")[2]
        thing = given.get(short) or keras.saving.get_registered_object(name) or _defined(name, module, kind, file)
        if thing is None:
            missing[short] = module
        else:
            found[name] = thing
    if missing:
        raise ArchiveError(_missing_message(missing, given, file))
    return found


def _named(config) -> Iterator[tuple[str, str | None, type | None]]:
    # Name, module and kind of all that a config names and Keras doesn't have itself.
    if isinstance(config, list):
        for item in config:
            yield from _named(item)
    if not isinstance(config, dict):
        return
    kind, module = config.get("class_name"), config.get("module")
    if kind == "__lambda__" or (kind == "Lambda" and module == "keras.layers"):
        yield kind, None, _CODE
    elif isinstance(kind, str) and "config" in config and not kind.startswith("__"):
        name = config["config"] if kind == "function" else config.get("registered_name") or kind
        if isinstance(name, str) and not _is_keras(name, module):
            yield name, module, types.FunctionType if kind == "function" else type
    for item in config.values():
        yield from _named(item)


def _is_keras(name: str, module) -> bool:
    if module == "builtins":  # so Keras writes functions, be they its own or not
        return any(hasattr(getattr(keras, part), name) for part in _PARTS)
    return isinstance(module, str) and module.split(".")[0] == "keras"


def _defined(name: str, module: str | None, kind: type, file: str):
    # The one thing of that name: what was registered when it was saved, perhaps by another module's name, or a model.
    # Of several, the one that its module shows today.
    short = name.rpartition(">")[2]
    registered = keras.saving.get_custom_objects().items() if ">" in name else ()
    things: list = [thing for key, thing in registered if key.rpartition(">")[2] == short and isinstance(thing, kind)]
    if kind is type:
        things += [cls for cls in _subclasses(keras.saving.get_registered_object(_BASE)) if cls.__name__ == short]
    things = list({id(thing): thing for thing in things}.values())
    if len(things) < 2:
        return things[0] if things else None
    home = module or "__main__"
    current = [thing for thing in things if getattr(sys.modules.get(home), short, None) is thing]
    same = [thing for thing in things if thing.__module__ == home]
    where = {(thing.__module__, thing.__qualname__) for thing in same or things}
    if current or len(where) == 1:
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
    return [found for child in children for found in (child, *_subclasses(child))]


def _missing_message(missing: dict, given: dict, file: str) -> str:
    first, module = next(iter(missing.items()))
    source = f"from {module} import {first}" if module not in (None, "__main__", "builtins") else f"define `{first}`"
    return explain(
        f"{file} was saved with classes or functions that aren't here.",
        received=f"custom_objects with {names(given)}.{did_you_mean(first, given)}",
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
