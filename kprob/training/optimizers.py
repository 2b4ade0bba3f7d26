"""Several optimizers for one model: each has its own part."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from kprob.errors import CompileError, explain, names
from kprob.saving import register_as


@dataclass(slots=True)
class _Record:
    # The optimizers, what variables a name stands for, and which of all variables each optimizer has.
    groups: dict[str, keras.optimizers.Optimizer]
    rest: keras.optimizers.Optimizer | None
    find: Callable[[str], list] | None = None
    members: dict[str | None, list[int]] = field(default_factory=dict)


@register_as("kprob.models")  # where it was when files were first saved
class Optimizers(keras.optimizers.Optimizer):
    """An optimizer of optimizers: one for each part of a model, by name.

    `compile(objective, {"guide": Adam(1e-2), "decoder": Adam(1e-3)})` makes one. Each has its own learning rate,
    schedule and clipping (`clipnorm`, `global_clipnorm` over its part).

    Args:
        groups: Optimizers, or their names, by part: an attribute that holds a network ("decoder", "guide"), a latent,
            which stands for the guide's parameters of it, or a `kprob.param`. A variable that several name belongs to the
            first.
        rest: Optimizer of everything that no group has; without it, having such variables is an error.
        name: Name of the whole.

    Example:
        ```python
        import keras
        import kprob
        from kprob import tfd

        @kprob.probmodel
        def temperature():
            temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
            kprob.sample("sensor", tfd.Normal(temp, kprob.param("noise", 1.0, constraint="positive")))

        optimizer = kprob.optimizers.Optimizers({"temp": keras.optimizers.Adam(0.1)}, rest=keras.optimizers.SGD(0.0))
        model = temperature().compile(kprob.ELBO(), optimizer)
        model.fit({"sensor": 18.0}, epochs=10, verbose=0)
        ```
    """

    def __init__(self, groups: Mapping, rest: Any = None, name: str = "optimizers"):
        super().__init__(learning_rate=0.0, name=name)
        if not groups or not all(isinstance(key, str) for key in groups):
            raise CompileError(
                explain(
                    "`Optimizers` takes optimizers by the name of what they train.",
                    received=repr(groups),
                    expected='a dict such as {"guide": keras.optimizers.Adam(0.01), "decoder": "adam"}',
                    fix="pass one entry for each part of the model",
                )
            )
        _check_distinct([*groups.values(), rest])
        # Past Keras's tracking: `variables` says what belongs to it.
        self._record = _Record(
            {key: keras.optimizers.get(optimizer) for key, optimizer in groups.items()},
            None if rest is None else keras.optimizers.get(rest),
        )

    @property
    def groups(self) -> dict[str, keras.optimizers.Optimizer]:
        """The optimizers, by part."""
        return self._record.groups

    @property
    def rest(self) -> keras.optimizers.Optimizer | None:
        """The optimizer of everything that no group has."""
        return self._record.rest

    def bind(self, find: Callable[[str], list]) -> None:
        """Tells the optimizer which variables a name stands for: a model does, before it builds the optimizer."""
        self._record.find = find

    def build(self, variables: Any) -> None:
        variables = list(variables)
        if self._record.find is None:
            raise CompileError(
                explain(
                    "`Optimizers` needs a kprob model, which knows its parts by name.",
                    received="variables without a model",
                    expected="compile(objective, kprob.optimizers.Optimizers(...)) of a kprob model",
                    fix="use a plain Keras optimizer elsewhere",
                )
            )
        owner: dict[int, str | None] = {}
        for key in self.groups:
            for variable in self._record.find(key):
                owner.setdefault(id(variable), key)
        members: dict[str | None, list[int]] = {key: [] for key in [*self.groups, None]}
        for position, variable in enumerate(variables):
            members[owner.get(id(variable))].append(position)
        if members[None] and self.rest is None:
            raise CompileError(
                explain(
                    "Some variables have no optimizer.",
                    received=f"optimizers for {names(self.groups)}",
                    expected=f"one for {names(variables[i].path for i in members[None])} too",
                    fix="name their part, or pass kprob.optimizers.Optimizers({...}, rest=keras.optimizers.Adam())",
                )
            )
        self._record.members = members
        for key, optimizer in self.parts():
            if members[key or None]:
                optimizer.build([variables[i] for i in members[key or None]])
        super().build(variables)

    def apply(self, grads: list, trainable_variables: Any = None) -> None:
        variables = list(self._trainable_variables if trainable_variables is None else trainable_variables)
        if not self.built:
            self.build(variables)
        place = {id(variable): i for i, variable in enumerate(variables)}
        for key, optimizer in self.parts():
            members = [id(self._trainable_variables[i]) for i in self._record.members[key or None]]
            chosen = [place[member] for member in members if member in place]  # others have been frozen since
            chosen = [i for i in chosen if grads[i] is not None]
            if chosen:
                optimizer.apply([grads[i] for i in chosen], [variables[i] for i in chosen])
        self._iterations.assign_add(1)

    @property
    def variables(self) -> list:
        return [*self._variables, *(v for _, optimizer in self.parts() for v in optimizer.variables)]

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the first group."""
        return next(iter(self.groups.values())).learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> Any:
        raise CompileError(
            explain(
                "`Optimizers` has as many learning rates as groups.",
                received=f"learning_rate = {learning_rate}",
                expected="a schedule for each group",
                fix="give each optimizer a keras.optimizers.schedules....",
            )
        )

    def finalize_variable_values(self, var_list: Any) -> None:
        for key, optimizer in self.parts():
            if optimizer.built:
                optimizer.finalize_variable_values(
                    [self._trainable_variables[i] for i in self._record.members[key or None]]
                )

    def parts(self) -> Iterator[tuple[str, keras.optimizers.Optimizer]]:
        """Yields each optimizer with its group's name, which is empty for the rest."""
        yield from self.groups.items()
        if self.rest is not None:
            yield "", self.rest

    def get_config(self) -> dict:
        dump = keras.optimizers.serialize
        return {
            "name": self.name,
            "groups": {key: dump(optimizer) for key, optimizer in self.groups.items()},
            "rest": None if self.rest is None else dump(self.rest),
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: Any = None) -> "Optimizers":
        load = keras.optimizers.deserialize
        groups = {key: load(optimizer, custom_objects) for key, optimizer in config["groups"].items()}
        rest = None if config["rest"] is None else load(config["rest"], custom_objects)
        return cls(groups, rest, config["name"])


def _check_distinct(optimizers: list) -> None:
    objects = [id(one) for one in optimizers if isinstance(one, keras.optimizers.Optimizer)]
    if len(objects) != len(set(objects)):
        raise CompileError(
            explain(
                "`Optimizers` got one optimizer for two parts of the model: it has moments for the variables of one.",
                received="the same object twice",
                expected="an optimizer of its own for each part",
                fix='make one for each: {"guide": keras.optimizers.Adam(1e-2), "decoder": keras.optimizers.Adam(1e-2)}',
            )
        )


def bound(optimizer: object, find: Callable[[str], list]) -> object:
    """Returns what Keras's `compile` takes: a dict becomes `Optimizers`, which learn the parts of the model.

    Args:
        optimizer: What `compile` received.
        find: Returns the variables of a part of the model.
    """
    if isinstance(optimizer, Mapping) and "class_name" not in optimizer:
        optimizer = Optimizers(optimizer)
    if isinstance(optimizer, Optimizers):
        optimizer.bind(find)
    return optimizer
