"""Parts of a model that aren't to be trained, by name."""

import keras

from kprob.errors import SiteError, explain
from kprob.models.optimizers import Optimizers
from kprob.models.parts import part_named
from kprob.models.saveable import Saveable


class Freezable(Saveable):
    """A model of which parts can be kept from training."""

    def freeze(self, *names: str):
        """Keeps parts of the model from being trained, until `unfreeze`; saved with the model.

        Args:
            *names: Attributes that hold networks ("decoder", "guide"), latents, which stand for the guide's parameters
                of them, or names of `kprob.param`.

        Returns:
            The model.

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
        return self._set_frozen({**self.frozen, **dict.fromkeys(_checked(names))})

    def unfreeze(self, *names: str):
        """Lets parts of the model be trained again.

        Args:
            *names: What `freeze` got; everything that is frozen where there are none.

        Returns:
            The model.
        """
        released = _checked(names) if names else list(self.frozen)
        unknown = [name for name in released if name not in self.frozen]
        if unknown:
            raise SiteError(
                explain(
                    f"`{unknown[0]}` isn't frozen.",
                    received=f"unfreeze({unknown[0]!r})",
                    expected=f"one of {list(self.frozen)}",
                    fix="use the name that `freeze` got",
                )
            )
        return self._set_frozen({name: found for name, found in self.frozen.items() if name not in released})

    @property
    def frozen(self) -> dict[str, object]:
        """What is frozen, by name: its layers and variables, once the model is built."""
        return self.__dict__.setdefault("_frozen", {})

    def _set_frozen(self, wanted: dict):
        before = self.frozen
        self.__dict__["_frozen"] = wanted
        if not self.built:
            return self
        try:
            found = {name: part_named(self, name) for name in wanted}
        except SiteError:
            self.__dict__["_frozen"] = before
            raise
        for name, parts in before.items():
            if name not in wanted and parts is not None:
                _set_trainable(parts, True)
        self.apply_frozen(found)
        if self.compiled and self.optimizer is not None:
            self._renew_optimizer()
        return self

    def apply_frozen(self, found: dict | None = None) -> None:
        """Freezes, in a built model, what `freeze` named before it was built."""
        found = {name: part_named(self, name) for name in self.frozen} if found is None else found
        for parts in found.values():
            _set_trainable(parts, False)
        self.__dict__["_frozen"] = found

    def _renew_optimizer(self) -> None:
        # An optimizer belongs to the variables that it was built with. The new one keeps the state of those that stay.
        old = self.optimizer
        state = _by_path(old)
        self.compile(self.objective, type(old).from_config(old.get_config()), **self.__dict__["_compile_options"])
        for path, variable in _by_path(self.optimizer).items():
            if path in state and tuple(state[path].shape) == tuple(variable.shape):
                variable.assign(keras.ops.convert_to_numpy(state[path]))


def _checked(names) -> list[str]:
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


def _set_trainable(parts, trainable: bool) -> None:
    layers, variables = parts
    for thing in [*layers, *variables]:
        thing.trainable = trainable


def _by_path(optimizer) -> dict[str, keras.Variable]:
    found: dict[str, keras.Variable] = {}
    twice = set()
    for prefix, one in optimizer.parts() if isinstance(optimizer, Optimizers) else [("", optimizer)]:
        for variable in one.variables:
            path = prefix + variable.path
            twice |= {path} & set(found)
            found[path] = variable
    return {path: variable for path, variable in found.items() if path not in twice}
