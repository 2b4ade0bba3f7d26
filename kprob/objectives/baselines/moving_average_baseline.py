"""A baseline that is the average of the signals of the steps before."""

import keras

from kprob.effects import Site, Trace
from kprob.errors import CompileError
from kprob.objectives.baselines.baseline import Baseline
from kprob.options import check_number
from kprob.saving import register
from kprob.types import Tensor


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
        check_number("decay", decay, 0.0, 1.0, ends="[", example=0.9, error=CompileError)
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
