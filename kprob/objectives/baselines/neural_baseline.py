"""A baseline that is a network of the data and of the latents drawn before."""

from collections.abc import Mapping

import keras

from kprob import checks
from kprob.effects import Site, Trace
from kprob.errors import CompileError, MismatchError, explain, names
from kprob.objectives.baselines.baseline import Baseline
from kprob.saving import decode, encode, register
from kprob.types import Tensor


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
        # A pattern, of which only copies are trained: set past Keras's tracking.
        object.__setattr__(self, "network", network)
        self.inputs = [inputs] if isinstance(inputs, str) else inputs
        self.copies: dict[str, keras.layers.Layer] = {}

    def make(self, site: Site, generative_trace: Trace, inference_trace: Trace) -> None:
        if site.name not in self.copies:
            config = {**self.network.get_config(), "name": f"{self.network.name}_{site.name}"}
            self.copies[site.name] = type(self.network).from_config(config)
            self.guess(site, generative_trace, inference_trace)

    def guess(self, site: Site, generative_trace: Trace, inference_trace: Trace) -> Tensor:
        features = self._features(site, generative_trace, inference_trace)
        guesses = keras.ops.reshape(self.copies[site.name](features), (-1,))  # [B] or [1]
        if not site.in_data_plate:
            return guesses[0]
        return keras.ops.reshape(guesses, (-1, *[1] * (len(site.plates) - 1)))

    def get_config(self) -> dict:
        own = {"network": encode(self.network, "the network of a baseline"), "inputs": self.inputs}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config: dict) -> "NeuralBaseline":
        return cls(**{**config, "network": decode(config["network"])})

    def _features(self, site: Site, generative_trace: Trace, inference_trace: Trace) -> Tensor:
        order = list(inference_trace)
        known = dict(generative_trace.data)
        known |= {name: inference_trace[name].value for name in order[: order.index(site.name)]}
        rows = checks.known_size(site.plates[0].size) if site.in_data_plate else 1
        inputs = self.inputs
        if inputs is None:
            inputs = [name for name, value in generative_trace.data.items() if _has_rows(value, rows)]
            inputs = inputs if site.in_data_plate else []
        columns = []
        for name in inputs:
            if name not in known:
                raise MismatchError(_unknown_input(name, site, known))
            value = keras.ops.cast(keras.ops.stop_gradient(keras.ops.convert_to_tensor(known[name])), "float32")
            columns.append(keras.ops.reshape(value, (keras.ops.shape(value)[0] if site.in_data_plate else 1, -1)))
        if not columns:
            return keras.ops.ones((rows or 1, 1))
        return keras.ops.concatenate(columns, axis=-1) if len(columns) > 1 else columns[0]


def _has_rows(value: Tensor, rows: int | None) -> bool:
    return len(value.shape) > 0 and (rows is None or value.shape[0] in (None, rows))


def _unknown_input(name: str, site: Site, known: Mapping) -> str:
    return explain(
        f"The baseline of latent `{site.name}` has no input `{name}`.",
        received=f"inputs={name!r}",
        expected=f"names among {names(known)}: data, and latents that q draws before `{site.name}`",
        fix="write NeuralBaseline(network, inputs=[...]) with these",
    )
