"""Parts of a model that aren't to be trained, by name."""

import keras

from kprob.engine import Networks
from kprob.errors import SiteError, explain
from kprob.inspection.named_parts import part_named
from kprob.training.optimizers import Optimizers

Part = tuple[list[keras.layers.Layer], list[keras.Variable]]


class Freezing:
    """Which parts of a model aren't to be trained.

    Args:
        networks: The model's networks.

    Attributes:
        parts: What is frozen, by name: its layers and variables, or None before the model is built.
    """

    def __init__(self, networks: Networks):
        self.networks = networks
        self.parts: dict[str, Part | None] = {}

    def freeze(self, *names: str) -> None:
        """Keeps parts of the model from being trained, until `unfreeze`; saved with the model.

        Args:
            *names: Attributes that hold networks ("decoder", "guide"), latents, which stand for the guide's parameters
                of them, or names of `kprob.param`.

        Example:
            ```python
            import kprob
            from kprob import tfd

            @kprob.probmodel
            def temperature():
                temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
                kprob.sample("sensor", tfd.Normal(temp, kprob.param("noise", 1.0, constraint="positive")))

            model = temperature().freeze("noise").compile(kprob.ELBO(), "adam")
            model.fit({"sensor": 18.0}, epochs=10, verbose=0)
            assert len(model.trainable_variables) == 2  # the guide's
            ```
        """
        self._set({**self.parts, **dict.fromkeys(_checked(names))})

    def unfreeze(self, *names: str) -> None:
        """Lets parts of the model be trained again.

        Args:
            *names: What `freeze` got; everything that is frozen where there are none.
        """
        released = _checked(names) if names else list(self.parts)
        unknown = [name for name in released if name not in self.parts]
        if unknown:
            raise SiteError(
                explain(
                    f"`{unknown[0]}` isn't frozen.",
                    received=f"unfreeze({unknown[0]!r})",
                    expected=f"one of {list(self.parts)}",
                    fix="use the name that `freeze` got",
                )
            )
        self._set({name: part for name, part in self.parts.items() if name not in released})

    def apply(self) -> None:
        """Freezes, in a model that is built, what was named before it was."""
        self.parts = {name: part_named(self.networks, name) for name in self.parts}
        for part in self.parts.values():
            _set_trainable(part, False)

    def _set(self, wanted: dict[str, Part | None]) -> None:
        before, self.parts = self.parts, wanted
        if not self.networks.built:
            return
        try:
            parts = {name: part_named(self.networks, name) for name in wanted}
        except SiteError:
            self.parts = before
            raise
        for name, part in before.items():
            if name not in wanted:
                _set_trainable(part, True)
        for part in parts.values():
            _set_trainable(part, False)
        self.parts = dict(parts)


def keep_state(old: keras.optimizers.Optimizer, new: keras.optimizers.Optimizer) -> None:
    """Gives an optimizer the state that another one had of the variables that both train.

    Args:
        old: The optimizer before parts were frozen, or trained again.
        new: The one in its place: an optimizer belongs to the variables that it was built with.
    """
    state = _by_path(old)
    for path, variable in _by_path(new).items():
        if path in state and tuple(state[path].shape) == tuple(variable.shape):
            variable.assign(keras.ops.convert_to_numpy(state[path]))


def _checked(names: tuple[str, ...]) -> list[str]:
    wrong = [name for name in names if not isinstance(name, str)]
    if wrong or not names:
        raise SiteError(
            explain(
                "`freeze` and `unfreeze` take names.",
                received=repr(wrong[0]) if wrong else "nothing",
                expected="names of sites, networks or parameters",
                fix='write freeze("decoder")',
            )
        )
    return list(names)


def _set_trainable(part: Part | None, trainable: bool) -> None:
    layers, variables = part or ([], [])
    for thing in [*layers, *variables]:
        thing.trainable = trainable


def _by_path(optimizer: keras.optimizers.Optimizer) -> dict[str, keras.Variable]:
    variables: dict[str, keras.Variable] = {}
    twice: set[str] = set()
    for prefix, one in optimizer.parts() if isinstance(optimizer, Optimizers) else [("", optimizer)]:
        for variable in one.variables:
            path = prefix + variable.path
            twice |= {path} & set(variables)
            variables[path] = variable
    return {path: variable for path, variable in variables.items() if path not in twice}
