"""The walk through the code of networks to everything that it reads from Python.

A function reads globals, what it closes over, its defaults, and attributes. Whatever the user's own code mentions by name is
looked at, in whatever of the user's own objects is met; of Keras's and kprob's layers it is the settings. More is looked at
than is read, which only costs a comparison.
"""

import functools
import types
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np

from kprob.engine.surroundings.code_names import globals_of, is_of_library, is_of_package, names_of
from kprob.engine.surroundings.marks import SEQUENCES, mark_of
from kprob.guides import Guide
from kprob.objectives import Objective

MISSING = object()
# Methods that are called without being named.
_CALLED = frozenset(
    "__call__ __contains__ __getitem__ __iter__ __len__ apply call forward generative inference update_step".split()
)
# What layers and optimizers of Keras and kprob hold under private names, and compute with.
_SETTINGS = frozenset({"_defaults", "_dtype_policy", "_learning_rate"})
_MOST_ITEMS = 1000


class Reading(NamedTuple):
    """Something that a network may read from Python.

    Attributes:
        label: Its name in the user's program.
        read: Returns it as it is now.
        value: What it was.
        mark: The mark of that.
    """

    label: str
    read: Callable[[], Any]
    value: Any
    mark: Hashable


class Walk:
    """One walk from some roots, that looks at attributes of known names.

    Args:
        names: Names that the code is known to mention.
        own: Addresses of the variables that programs read anew whenever they run.

    Attributes:
        names: The same, and those that were met.
        readings: What was met, by owner and name.
        labels: Names of the layers and variables that were met, by address of the variable.
    """

    def __init__(self, names: Iterable[str], own: frozenset[int]):
        self.names, self.own = {*names, *_CALLED}, own
        self.readings: dict[tuple[int, str], Reading] = {}
        self.labels: dict[int, str] = {}
        self._met: dict[int, object] = {}
        self._kept: list[object] = []  # so that no other object gets the address of one

    def visit(self, value: Any, label: str) -> None:
        """Looks at a value that a network may read, and at everything that it leads to.

        Args:
            value: The value.
            label: Its name in the user's program.
        """
        if id(value) in self._met:
            return
        self._met[id(value)] = value
        if isinstance(value, types.MethodType):
            self.visit(value.__func__, label)
            self.visit(value.__self__, label.rpartition(".")[0] or label)
        elif isinstance(value, types.FunctionType):
            self._visit_function(value, label)
        elif isinstance(value, functools.partial):
            for attribute in ("func", "args", "keywords"):
                self._enter(value, f"{label}.{attribute}", functools.partial(getattr, value, attribute))
        elif isinstance(value, types.ModuleType):
            if not is_of_library(value.__name__):
                self._visit_attributes(value, vars(value), value.__name__)
        elif isinstance(value, Mapping):
            self._visit_items((f"{label}[{key!r}]", item) for key, item in value.items())
        elif isinstance(value, SEQUENCES):
            self._visit_items((f"{label}[{i}]", item) for i, item in enumerate(value))
        elif isinstance(value, keras.Variable):
            self._visit_variable(value, label)
        elif isinstance(value, type):
            self._visit_class(value, label)
        elif not isinstance(value, np.ndarray | str | bytes | int | float):
            self._visit_object(value, label)

    def _visit_function(self, function: types.FunctionType, label: str) -> None:
        if not is_of_library(function.__module__):
            self.names |= names_of(function.__code__)
            scope = function.__globals__
            for name in globals_of(function.__code__) & scope.keys():
                self._enter(scope, name, functools.partial(scope.get, name, MISSING))
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            self._enter(cell, name, functools.partial(_content, cell))
        for name in ("__defaults__", "__kwdefaults__"):
            if getattr(function, name):
                self._enter(function, f"{label}.{name}", functools.partial(getattr, function, name))

    def _visit_items(self, items: Iterable[tuple[str, Any]]) -> None:
        for position, (label, item) in enumerate(items):
            if position == _MOST_ITEMS:
                return
            if item is not None and not isinstance(item, str | bytes | int | float | np.ndarray):
                self.visit(item, label)

    def _visit_variable(self, variable: keras.Variable, label: str) -> None:
        self.labels.setdefault(id(variable), label)
        self._enter_numbers(variable, label)

    def _enter_numbers(self, variable: keras.Variable, label: str) -> None:
        if id(variable) not in self.own:
            # On JAX a program has the numbers in it of a variable that isn't the model's.
            self._enter(variable, label, lambda: getattr(variable, "_value", None))

    def _visit_class(self, cls: type, label: str, instance: object = None) -> None:
        own = getattr(instance, "__dict__", {})
        for base in cls.__mro__:
            if is_of_library(base.__module__):
                continue
            held = vars(base)
            for name in self.names & held.keys():
                member = held[name]
                functions = _functions_of(member)
                if functions:
                    self._enter(base, f"{base.__name__}.{name}", functools.partial(held.get, name, MISSING))
                    # And whether the object has got one of its own.
                    self._enter(own, f"{label}.{name}", functools.partial(own.get, name, MISSING))
                for function in functions:
                    self.visit(function, f"{base.__name__}.{name}")
                if not functions and not hasattr(type(member), "__get__"):
                    owner = base if instance is None else instance
                    self._enter(owner, f"{label}.{name}", functools.partial(getattr, owner, name, MISSING))

    def _visit_object(self, value: Any, label: str) -> None:
        if isinstance(value, keras.layers.Layer):
            for variable in value.variables:
                self.labels[id(variable)] = label  # the innermost name is the best
                self._enter_numbers(variable, f"{label} ({variable.path})")
        held = getattr(value, "__dict__", {})
        library = is_of_package(type(value).__module__)
        if isinstance(value, Objective | keras.layers.Layer | keras.optimizers.Optimizer):
            if library or not isinstance(value, keras.Model):
                self._visit_settings(value, held, label)
        if isinstance(value, keras.Model):
            for name in {"generative", "inference"} & held.keys():
                self._enter(value, f"{label}.{name}", functools.partial(held.get, name, MISSING))
        if library:
            return
        self._visit_class(type(value), label, value)
        self._visit_attributes(value, held, label)
        for slot in self.names & {*_slots_of(type(value))}:
            self._enter(value, f"{label}.{slot}", functools.partial(getattr, value, slot, MISSING))

    def _visit_settings(self, value: Any, held: Mapping, label: str) -> None:
        # All of them, since the code that reads them is the library's.
        if isinstance(value, Guide):  # which changes itself, and says so by its phase
            return
        for name in held.keys() - _keras_own():
            if name in _SETTINGS or (name[0] != "_" and _is_setting(held[name])):
                self._enter(value, f"{label}.{name}", functools.partial(held.get, name, MISSING))

    def _visit_attributes(self, value: Any, held: Mapping, label: str) -> None:
        for name in (self.names & held.keys()) - _keras_own():
            self._enter(value, f"{label}.{name}", functools.partial(held.get, name, MISSING))

    def _enter(self, owner: object, label: str, read: Callable[[], Any]) -> None:
        value = read()
        if (id(owner), label) in self.readings or _is_fixed(value):
            return
        self._kept.append(owner)
        self.readings[id(owner), label] = Reading(label, read, value, mark_of(value))
        if value is not MISSING:
            self.visit(value, label)


def walk_from(roots: Mapping[str, object], own: frozenset[int]) -> Walk:
    """Walks until no further names are met.

    Args:
        roots: Networks, and objects that they read, by name.
        own: Addresses of the variables that programs read anew whenever they run.
    """
    names: set[str] = set()
    while True:
        walk = Walk(names, own)
        for label, root in roots.items():
            walk.visit(root, label)
        if walk.names == {*names, *_CALLED}:
            return walk
        names = walk.names


def _slots_of(cls: type) -> Iterable[str]:
    slots = getattr(cls, "__slots__", ())
    return (slots,) if isinstance(slots, str) else slots


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # empty still
        return MISSING


def _is_fixed(value: object) -> bool:
    # What no user changes: libraries, their functions and classes.
    if isinstance(value, types.ModuleType):
        return is_of_library(value.__name__)
    if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType):
        return is_of_library(value.__module__)
    return False


def _is_setting(value: object) -> bool:
    return (
        value is None
        or callable(value)
        or isinstance(value, bool | int | float | str | tuple | list | dict | np.ndarray)
    )


def _functions_of(member: object) -> list:
    if isinstance(member, staticmethod | classmethod):
        return [member.__func__]
    if isinstance(member, property):
        return [function for function in (member.fget,) if function is not None]
    if isinstance(member, functools.cached_property):
        return [member.func]
    return [member] if isinstance(member, types.FunctionType) else []


@functools.cache
def _keras_own() -> frozenset[str]:
    # What Keras itself writes down in layers, models and optimizers; the names keep its counters of names as they are.
    layer = keras.layers.Layer(name="layer")
    model = keras.Model(name="model")
    optimizer = keras.optimizers.SGD(name="optimizer")
    own = {*vars(layer), *vars(model), "optimizer", "history", "guide", "objective_state", "modules", "seed_generator"}
    own |= {"_state", "_arguments", "stop_training", "built", "heads", "free", "inference", "generative"}
    own |= {"name_in_model", "made_inside"}
    own |= {name for name in vars(optimizer) if name in ("built", "name")}
    return frozenset(own - _SETTINGS)
