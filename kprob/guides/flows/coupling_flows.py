"""Coupling flows: one half of the numbers changes the other, by a network of it; quick both ways.

Real NVP shifts and scales the other half; a neural spline flow bends each number of it by a monotone spline.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from kprob.checks import check_count
from kprob.guides.flows.flow import Flow, bounded
from kprob.guides.flows.splines import spline_forward, spline_inverse, spline_numbers
from kprob.layers import CouplingNetwork
from kprob.options import check_number
from kprob.saving import register
from kprob.types import Tensor


class _CouplingFlow(Flow):
    # What both flows have: the halves, and the network from the first to numbers for the second.
    def make_network(self, size: int, step: int) -> keras.layers.Layer:
        outputs = self.numbers_per_element()
        network = CouplingNetwork(size - size // 2, outputs, self.hidden_units, self.activation, name=f"step_{step}")
        network.build((None, size // 2))
        return network

    def numbers_per_element(self) -> int:
        """Returns how many numbers say what becomes of each element of the second half."""
        raise NotImplementedError

    def _couple(
        self, step: int, vector: Tensor, change: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    ) -> tuple[Tensor, Tensor]:
        half = vector.shape[-1] // 2
        first, second = vector[..., :half], vector[..., half:]
        rows = first if len(first.shape) > 1 else first[None]
        raw = ops.cast(self.networks[step](rows), vector.dtype)
        raw = ops.reshape(raw, (*ops.shape(second), raw.shape[-1]))
        changed, log_slopes = change(second, raw)
        return ops.concatenate([first, changed], axis=-1), ops.sum(log_slopes, axis=-1)


@register
class RealNVP(_CouplingFlow):
    """A flow of affine couplings: quick to draw from and to weigh any value by.

    Args:
        num_steps: Number of steps; with fewer than 2 one half of the numbers stays independent normal.
        hidden_units: Units of each hidden layer of the steps' networks.
        activation: Activation of the hidden layers.
        init_scale: Standard deviation, in unconstrained space, to start from.
        init: See `Guide`.
        encoder: A Keras layer from data to features, for latents inside the data plate (see `Guide`).
        inputs: Names of the data that the encoder takes.
        name: Name of the layer.

    Example:
        ```python
        import kprob
        from kprob import tfd

        @kprob.probmodel
        def banana():
            a = kprob.sample("a", tfd.Normal(0.0, 1.0))
            b = kprob.sample("b", tfd.Normal(a**2, 0.5))
            kprob.sample("x", tfd.Normal(a + b, 0.5))

        model = banana(inference=kprob.guides.RealNVP(num_steps=4)).compile(kprob.ELBO(), "adam")
        model.fit({"x": 1.0}, epochs=1, verbose=0)
        draws = model.posterior().sample(5)
        assert model.posterior().log_prob(draws)["b"].shape == (5,)
        ```

    Reference:
        Dinh, Sohl-Dickstein and Bengio (2017), "Density estimation using Real NVP".
    """

    def __init__(self, num_steps: int = 4, hidden_units: Sequence[int] = (32, 32), **kwargs: Any):
        super().__init__(num_steps, hidden_units, **kwargs)

    def numbers_per_element(self) -> int:
        return 2

    def forward(self, step: int, vector: Tensor) -> tuple[Tensor, Tensor]:
        return self._couple(step, vector, self._affine)

    def inverse(self, step: int, vector: Tensor) -> tuple[Tensor, Tensor]:
        return self._couple(step, vector, self._affine_inverse)

    def _affine(self, second: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        log_scale = bounded(raw[..., 1])
        return raw[..., 0] + ops.exp(log_scale) * second, log_scale

    def _affine_inverse(self, second: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        log_scale = bounded(raw[..., 1])
        return (second - raw[..., 0]) * ops.exp(-log_scale), log_scale


@register
class NeuralSplineFlow(_CouplingFlow):
    """A flow of rational-quadratic spline couplings: it bends each number freely, for skewed and many-humped posteriors.

    Args:
        num_steps: Number of steps; with fewer than 2 one half of the numbers stays independent normal.
        num_bins: Bins of each spline.
        bound: Splines act between -bound and bound (of standardised numbers), and are the identity outside.
        hidden_units: Units of each hidden layer of the steps' networks.
        activation: Activation of the hidden layers.
        init_scale: Standard deviation, in unconstrained space, to start from.
        init: See `Guide`.
        encoder: A Keras layer from data to features, for latents inside the data plate (see `Guide`).
        inputs: Names of the data that the encoder takes.
        name: Name of the layer.

    Example:
        ```python
        import kprob

        guide = kprob.guides.NeuralSplineFlow(num_steps=2, num_bins=6)
        assert kprob.guides.NeuralSplineFlow.from_config(guide.get_config()).num_bins == 6
        ```

    Reference:
        Durkan, Bekasov, Murray and Papamakarios (2019), "Neural spline flows".
    """

    def __init__(
        self,
        num_steps: int = 4,
        num_bins: int = 8,
        bound: float = 4.0,
        hidden_units: Sequence[int] = (32, 32),
        **kwargs: Any,
    ):
        super().__init__(num_steps, hidden_units, **kwargs)
        check_count("num_bins", num_bins, 2)
        check_number("bound", bound, 0.0, example=4.0)
        self.num_bins, self.bound = num_bins, float(bound)

    def numbers_per_element(self) -> int:
        return spline_numbers(self.num_bins)

    def forward(self, step: int, vector: Tensor) -> tuple[Tensor, Tensor]:
        return self._couple(step, vector, lambda x, raw: spline_forward(x, raw, self.num_bins, self.bound))

    def inverse(self, step: int, vector: Tensor) -> tuple[Tensor, Tensor]:
        return self._couple(step, vector, lambda y, raw: spline_inverse(y, raw, self.num_bins, self.bound))

    def get_config(self) -> dict:
        return {**super().get_config(), "num_bins": self.num_bins, "bound": self.bound}
