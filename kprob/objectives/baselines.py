"""Baselines: guesses of an objective's terms that don't see the draw, which take variance off the score function.

E_q[b ∇ log q(z)] = 0 for every b that doesn't depend on z: so a baseline changes no gradient's mean.
"""

from collections.abc import Mapping

import keras

from kprob import checks
from kprob.effects import Site, Trace
from kprob.errors import CompileError, MismatchError, explain, names
from kprob.saving import decode, encode, register
from kprob.types import Tensor

stop = keras.ops.stop_gradient


class Baseline(keras.layers.Layer):
    """Base class of baselines; a Keras layer, so that what it learns is trained and saved with the model.

    To subclass, override `make(site)`, which makes the variables for one latent, and `guess`; and `learn` where it learns
    by averages rather than by gradients.
    """

    def make(self, site: Site, generative_trace: Trace, inference_trace: Trace) -> None:
        """Makes the variables for a latent.

        Args:
            site: The latent, as q drew it.
            generative_trace: A trace of p.
            inference_trace: A trace of q.
        """
        raise NotImplementedError(f"{type(self).__name__} must override `make`.")

    def guess(self, site: Site, generative_trace: Trace, inference_trace: Trace) -> Tensor:
        """Returns a number, or one for each element of the latent's plates."""
        raise NotImplementedError(f"{type(self).__name__} must override `guess`.")

    def learn(self, name: str, signal: Tensor) -> None:
        """Takes notice of what was to be guessed, averaged over plates and draws.

        Args:
            name: Name of the latent.
            signal: A scalar.
        """


@register
class MovingAverageBaseline(Baseline):
    """The average of what each latent's score was multiplied by in the steps before; recent ones count more.

    Args:
        decay: How much of the average is left after one step, between 0 and 1.
        name: Name of the layer.

    Example:
        ```python
        import kprob

        objective = kprob.ELBO(baseline=kprob.objectives.MovingAverageBaseline(decay=0.9))
        assert objective.baseline.decay == 0.9
        ```

    Reference:
        Williams (1992), "Simple statistical gradient-following algorithms for connectionist reinforcement learning".
    """

    def __init__(self, decay: float = 0.9, name: str | None = None, **kwargs: object):
        super().__init__(name=name, **kwargs)
        if not 0.0 <= decay < 1.0:
            raise CompileError(
                explain(
                    "MovingAverageBaseline needs a share that is kept.",
                    received=f"decay={decay!r}",
                    expected="a number from 0 up to, but not, 1",
                    fix="write MovingAverageBaseline(decay=0.9)",
                )
            )
        self.decay = decay
        self.sums: dict[str, keras.Variable] = {}
        self.weights_of_sums: dict[str, keras.Variable] = {}

    def make(self, site: Site, generative_trace: Trace, inference_trace: Trace) -> None:
        if site.name not in self.sums:
            self.sums[site.name] = self._number(f"{site.name}_sum")
            self.weights_of_sums[site.name] = self._number(f"{site.name}_weight")

    def guess(self, site: Site, generative_trace: Trace, inference_trace: Trace) -> Tensor:
        # Divided by the weights so far, so that the zero at the start doesn't count.
        weight = keras.ops.convert_to_tensor(self.weights_of_sums[site.name])
        return keras.ops.convert_to_tensor(self.sums[site.name]) / keras.ops.maximum(weight, 1e-8)

    def learn(self, name: str, signal: Tensor) -> None:
        for table, value in ((self.sums, signal), (self.weights_of_sums, 1.0)):
            before = keras.ops.convert_to_tensor(table[name])
            table[name].assign(self.decay * before + (1.0 - self.decay) * value)

    def get_config(self) -> dict:
        return {**super().get_config(), "decay": self.decay}

    def _number(self, name: str) -> keras.Variable:
        return self.add_weight(shape=(), initializer="zeros", name=name, trainable=False, autocast=False)


@register
class NeuralBaseline(Baseline):
    """A network's guess of what each latent's score is multiplied by, trained by least squares along with the model.

    Each latent has a copy of the network. For a latent inside the data plate the network sees a row of the inputs and
    guesses for that row; for another it sees inputs that belong to no row.

    Args:
        network: A Keras layer or model with one output, such as `Sequential([Dense(100, "relu"), Dense(1)])`.
        inputs: Names of data, or of latents that q draws before; all data per row where it's left out.
        name: Name of the layer.

    Example:
        ```python
        import keras
        import kprob

        network = keras.Sequential([keras.layers.Dense(10, "relu"), keras.layers.Dense(1)])
        objective = kprob.ELBO(baseline=kprob.objectives.NeuralBaseline(network, inputs=["x"]))
        assert objective.baseline.inputs == ["x"]
        ```

    Reference:
        Mnih and Gregor (2014), "Neural variational inference and learning in belief networks".
    """

    def __init__(
        self,
        network: keras.layers.Layer,
        inputs: str | list[str] | None = None,
        name: str | None = None,
        **kwargs: object,
    ):
        super().__init__(name=name, **kwargs)
        if not isinstance(network, keras.layers.Layer):
            raise CompileError(
                explain(
                    "NeuralBaseline needs a network.",
                    received=repr(network),
                    expected="a Keras layer or model with one output",
                    fix='write NeuralBaseline(keras.Sequential([keras.layers.Dense(100, "relu"), keras.layers.Dense(1)]))',
                )
            )
        self.__dict__["network"] = network  # a pattern: only its copies are trained
        self.inputs = [inputs] if isinstance(inputs, str) else inputs
        self.copies: dict[str, keras.layers.Layer] = {}

    def make(self, site: Site, generative_trace: Trace, inference_trace: Trace) -> None:
        if site.name not in self.copies:
            config = {**self.network.get_config(), "name": f"{self.network.name}_{site.name}"}
            self.copies[site.name] = type(self.network).from_config(config)
            self.guess(site, generative_trace, inference_trace)

    def guess(self, site: Site, generative_trace: Trace, inference_trace: Trace) -> Tensor:
        features = self._features(site, generative_trace, inference_trace)
        found = keras.ops.reshape(self.copies[site.name](features), (-1,))  # [B] or [1]
        if not site.in_data_plate:
            return found[0]
        return keras.ops.reshape(found, (-1, *[1] * (len(site.plates) - 1)))

    def get_config(self) -> dict:
        own = {"network": encode(self.network, "the network of a baseline"), "inputs": self.inputs}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config: dict) -> "NeuralBaseline":
        return cls(**{**config, "network": decode(config["network"])})

    def _features(self, site: Site, generative_trace: Trace, inference_trace: Trace) -> Tensor:
        drawn = list(inference_trace)
        known = dict(generative_trace.data)
        known |= {name: inference_trace[name].value for name in drawn[: drawn.index(site.name)]}
        rows = checks.known_size(site.plates[0].size) if site.in_data_plate else 1
        wanted = self.inputs
        if wanted is None:
            wanted = [name for name, value in generative_trace.data.items() if _has_rows(value, rows)]
            wanted = wanted if site.in_data_plate else []
        found = []
        for name in wanted:
            if name not in known:
                raise MismatchError(_unknown_input(name, site, known))
            value = keras.ops.cast(stop(keras.ops.convert_to_tensor(known[name])), "float32")
            found.append(keras.ops.reshape(value, (keras.ops.shape(value)[0] if site.in_data_plate else 1, -1)))
        if not found:
            return keras.ops.ones((rows or 1, 1))
        return keras.ops.concatenate(found, axis=-1) if len(found) > 1 else found[0]


def _has_rows(value: Tensor, rows: int | None) -> bool:
    return len(value.shape) > 0 and (rows is None or value.shape[0] in (None, rows))


def _unknown_input(name: str, site: Site, known: Mapping) -> str:
    return explain(
        f"The baseline of latent `{site.name}` has no input `{name}`.",
        received=f"inputs={name!r}",
        expected=f"names among {names(known)}: data, and latents that q draws before `{site.name}`",
        fix="write NeuralBaseline(network, inputs=[...]) with these",
    )


class Baselines:
    """The baselines of an objective, one for each latent that needs one.

    Args:
        given: One baseline for all latents, or a baseline by name of a latent.
    """

    def __init__(self, given: Baseline | Mapping[str, Baseline]):
        self.given = given
        values = list(given.values()) if isinstance(given, Mapping) else [given]
        if not values or not all(isinstance(value, Baseline) for value in values):
            raise CompileError(
                explain(
                    "`baseline` isn't one.",
                    received=repr(given),
                    expected="a baseline, or a dict of baselines by name of a latent",
                    fix="write baseline=kprob.objectives.MovingAverageBaseline(), or "
                    'baseline={"z": kprob.objectives.MovingAverageBaseline()}',
                )
            )

    @property
    def layers(self) -> list[keras.layers.Layer]:
        """The baselines, each once."""
        values = self.given.values() if isinstance(self.given, Mapping) else [self.given]
        return list({id(value): value for value in values}.values())

    def of(self, site: Site) -> Baseline | None:
        """Returns a latent's baseline."""
        return self.given.get(site.name) if isinstance(self.given, Mapping) else self.given

    def make(self, sites: list[Site], generative_trace: Trace, inference_trace: Trace) -> None:
        """Makes the variables for the latents that need a baseline."""
        if isinstance(self.given, Mapping):
            unknown = [name for name in self.given if name not in [site.name for site in sites]]
            if unknown:
                raise MismatchError(
                    explain(
                        f"There is a baseline for `{unknown[0]}`, which needs none.",
                        received=f"baselines for {names(self.given)}",
                        expected=f"names of latents that can't be reparameterised: {names(s.name for s in sites)}",
                        fix="remove it, or correct its name",
                    )
                )
        for site in sites:
            baseline = self.of(site)
            if baseline is not None:
                baseline.make(site, generative_trace, inference_trace)

    def guess(self, site: Site, generative_trace: Trace, inference_trace: Trace) -> Tensor:
        """Returns the guess for a latent; zero where it has no baseline."""
        baseline = self.of(site)
        return 0.0 if baseline is None else baseline.guess(site, generative_trace, inference_trace)

    def learn(self, site_name: str, signal: Tensor) -> None:
        """Shows a latent's baseline what was to be guessed."""
        baseline = self.given.get(site_name) if isinstance(self.given, Mapping) else self.given
        if baseline is not None:
            baseline.learn(site_name, signal)
