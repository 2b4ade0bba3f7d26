"""Autoregressive flows: each number is shifted and scaled by a network of the numbers before it.

Inverse autoregressive:  u_i = m_i(z_<i) + exp(a_i(z_<i)) z_i,  all at once from noise z; its inverse one by one.
Masked autoregressive:   u_i = m_i(u_<i) + exp(a_i(u_<i)) z_i,  one by one from noise z; its inverse all at once.
"""

import keras
from keras import ops

from kprob.guides.flows.flow import Flow, bounded
from kprob.layers import AutoregressiveNetwork
from kprob.saving import register
from kprob.types import Tensor


class _AutoregressiveFlow(Flow):
    # What both flows have: a network, and affine steps with it and against it.
    def make_network(self, size: int, step: int) -> keras.layers.Layer:
        network = AutoregressiveNetwork(2, self.hidden_units, self.activation, name=f"step_{step}")
        network.build((None, size))
        return network

    def _shift_and_log_scale(self, step: int, vector: Tensor) -> tuple[Tensor, Tensor]:
        outputs = self.networks[step](_with_batch_axis(vector))
        outputs = ops.reshape(ops.cast(outputs, vector.dtype), (*ops.shape(vector), 2))
        return outputs[..., 0], bounded(outputs[..., 1])

    def _at_once(self, step: int, noise: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = self._shift_and_log_scale(step, noise)
        return shift + ops.exp(log_scale) * noise, ops.sum(log_scale, axis=-1)

    def _back_at_once(self, step: int, vector: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = self._shift_and_log_scale(step, vector)
        return (vector - shift) * ops.exp(-log_scale), ops.sum(log_scale, axis=-1)

    def _one_by_one(self, step: int, vector: Tensor, forward: bool) -> tuple[Tensor, Tensor]:
        # After i rounds the first i numbers are right; the network of all numbers runs as often as there are numbers.
        result = ops.zeros_like(vector)
        for _ in range(vector.shape[-1]):
            shift, log_scale = self._shift_and_log_scale(step, result)
            result = shift + ops.exp(log_scale) * vector if forward else (vector - shift) * ops.exp(-log_scale)
        _, log_scale = self._shift_and_log_scale(step, result)
        return result, ops.sum(log_scale, axis=-1)


def _with_batch_axis(vector: Tensor) -> Tensor:
    # Keras's layers want a batch axis.
    return vector if len(vector.shape) > 1 else vector[None]


@register
class InverseAutoregressiveFlow(_AutoregressiveFlow):
    """An inverse autoregressive flow: quick to draw from, for posteriors of any shape.

    The density of a draw comes with it; that of other values takes time linear in the number of latent numbers.

    Args:
        num_steps: Number of steps.
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

        guide = kprob.guides.InverseAutoregressiveFlow(num_steps=2)
        model = banana(inference=guide).compile(kprob.ELBO(), "adam")
        model.fit({"x": 1.0}, epochs=1, verbose=0)
        assert set(model.posterior().sample(5)) == {"a", "b"}
        ```

    Reference:
        Kingma, Salimans, Jozefowicz, Chen, Sutskever and Welling (2016), "Improved variational inference with inverse
        autoregressive flow".
    """

    def forward(self, step: int, vector: Tensor) -> tuple[Tensor, Tensor]:
        return self._at_once(step, vector)

    def inverse(self, step: int, vector: Tensor) -> tuple[Tensor, Tensor]:
        return self._one_by_one(step, vector, forward=False)


@register
class MaskedAutoregressiveFlow(_AutoregressiveFlow):
    """A masked autoregressive flow: the density of any value at once, draws one number after another.

    A draw takes time linear in the number of latent numbers: with more than some tens, `InverseAutoregressiveFlow` or
    `RealNVP` are quicker to fit.

    Args:
        num_steps: Number of steps.
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

        guide = kprob.guides.MaskedAutoregressiveFlow(num_steps=3, hidden_units=(16,))
        assert kprob.guides.MaskedAutoregressiveFlow.from_config(guide.get_config()).num_steps == 3
        ```

    Reference:
        Papamakarios, Pavlakou and Murray (2017), "Masked autoregressive flow for density estimation".
    """

    def forward(self, step: int, vector: Tensor) -> tuple[Tensor, Tensor]:
        return self._one_by_one(step, vector, forward=True)

    def inverse(self, step: int, vector: Tensor) -> tuple[Tensor, Tensor]:
        return self._back_at_once(step, vector)
