"""Mean field: an independent normal for each latent number, in unconstrained space."""

from collections.abc import Sequence
from typing import Any

import keras

from kprob.backend import tfd
from kprob.distributions import get_constraint
from kprob.guides.guide import Guide
from kprob.guides.running.guide_run import GuideRun
from kprob.options import check_number
from kprob.saving import register
from kprob.types import Distribution, Tensor


@register
class Normal(Guide):
    """Independent normals over the unconstrained values of all latents: the mean-field family.

    Each latent's normal is carried onto its support by a bijector (the exponential for a scale, say). Means are often
    right and standard deviations too small where latents depend on each other: compare `MultivariateNormal`.

    Args:
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
        def temperature():
            temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
            kprob.sample("sensor", tfd.Normal(temp, 1.0))

        model = temperature(inference=kprob.guides.Normal(init_scale=0.5)).compile(kprob.ELBO(), "adam")
        model.fit({"sensor": 18.0}, epochs=1, verbose=0)
        assert model.posterior("temp").sample(7).shape == (7,)
        ```

    Reference:
        Kucukelbir, Tran, Ranganath, Gelman and Blei (2017), "Automatic differentiation variational inference".
    """

    def __init__(
        self,
        init_scale: float = 0.1,
        init: str | dict[str, Any] = "median",
        encoder: keras.layers.Layer | None = None,
        inputs: str | Sequence[str] | None = None,
        **kwargs: Any,
    ):
        super().__init__(init, encoder, inputs, **kwargs)
        check_number("init_scale", init_scale, 0.0)
        self.init_scale = init_scale

    @property
    def independent(self) -> bool:
        return all(bijector is not None for bijector in self.bijectors.values())

    def create(self, starts: dict[str, Tensor]) -> None:
        for name, start in starts.items():
            in_rows = self.latents[name].in_rows
            raw = get_constraint("positive").inverse(keras.ops.full_like(start, self.init_scale))
            self.add_parameter(f"{name}_loc", start, in_rows)
            self.add_parameter(f"{name}_scale", raw, in_rows)

    def posterior(self, name: str, run: GuideRun) -> Distribution:
        loc, scale = self.marginal(name, run)
        return independent_normals(loc, scale, self.latents[name].event_ndims)

    def marginal(self, name: str, run: GuideRun) -> tuple[Tensor, Tensor]:
        scale = get_constraint("positive").forward(self.parameter(f"{name}_scale", run))
        return self.parameter(f"{name}_loc", run), scale

    def transport(self, noise: dict[str, Tensor], run: GuideRun) -> tuple[dict[str, Tensor], Tensor]:
        values: dict[str, Tensor] = {}
        total = 0.0
        for name, numbers in noise.items():
            loc, scale = self.marginal(name, run)
            values[name] = loc + scale * numbers
            total = total + keras.ops.sum(keras.ops.broadcast_to(keras.ops.log(scale), numbers.shape))
        return values, total

    def get_config(self) -> dict:
        return {**super().get_config(), "init_scale": self.init_scale}


def independent_normals(loc: Tensor, scale: Tensor, event_ndims: int) -> Distribution:
    """Returns a normal distribution of each number, the last axes being one event."""
    base = tfd.Normal(loc, scale)
    return tfd.Independent(base, event_ndims) if event_ndims else base
