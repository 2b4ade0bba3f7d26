"""Delta: a single value for each latent, the maximum a posteriori estimate."""

from collections.abc import Sequence
from typing import Any

import keras

from kprob.guides.guide import Guide
from kprob.guides.numbers.conditionals import PointMass
from kprob.guides.running.guide_run import GuideRun
from kprob.saving import register
from kprob.types import Bijector, Distribution, Tensor


@register
class Delta(Guide):
    """A point for each latent: `fit` finds the posterior's mode (maximum a posteriori).

    The point's log-density counts as zero, so that the ELBO is the joint log-density of data and latents, as the model
    writes it: of a positive latent, the mode of its own density and not of its logarithm's (compare `Laplace`).

    Args:
        init: See `Guide`.
        encoder: A Keras layer from data to features, for latents inside the data plate (see `Guide`).
        inputs: Names of the data that the encoder takes.
        name: Name of the layer.

    Example:
        ```python
        import keras
        import kprob
        from kprob import tfd

        @kprob.probmodel
        def temperature():
            temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
            kprob.sample("sensor", tfd.Normal(temp, 1.0))

        model = temperature(inference=kprob.guides.Delta()).compile(kprob.ELBO(), keras.optimizers.Adam(0.1))
        model.fit({"sensor": 18.0}, epochs=300, verbose=0)
        assert abs(model.guide.median()["temp"] - 17.4) < 0.05
        ```

    Reference:
        Gelman, Carlin, Stern, Dunson, Vehtari and Rubin (2013), "Bayesian data analysis", chapter 13.
    """

    def __init__(
        self,
        init: str | dict[str, Any] = "median",
        encoder: keras.layers.Layer | None = None,
        inputs: str | Sequence[str] | None = None,
        **kwargs: Any,
    ):
        super().__init__(init, encoder, inputs, **kwargs)

    @property
    def independent(self) -> bool:
        return all(bijector is not None for bijector in self.bijectors.values())

    def create(self, starts: dict[str, Tensor]) -> None:
        for name, start in starts.items():
            self.add_parameter(f"{name}_loc", start, self.latents[name].in_rows)

    def posterior(self, name: str, run: GuideRun) -> PointMass:
        return PointMass(self.parameter(f"{name}_loc", run), self.latents[name].event_ndims)

    def place(self, name: str, base: Distribution, bijector: Bijector) -> PointMass:
        # The density is that of the value itself: no Jacobian.
        ndims = self.latents[name].event_ndims + bijector.inverse_min_event_ndims - bijector.forward_min_event_ndims
        return PointMass(bijector.forward(base.loc), ndims)

    def marginal(self, name: str, run: GuideRun) -> tuple[Tensor, Tensor]:
        loc = self.parameter(f"{name}_loc", run)
        return loc, 0.0 * loc
