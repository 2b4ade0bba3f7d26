"""Reparameterisation: the same model written with other latent sites, whose posterior is easier to reach."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import keras
import numpy as np

from kprob.backend import tfd
from kprob.distributions.wrappers import split_wrappers
from kprob.effects.primitives import param, sample
from kprob.effects.site import Site, SiteKind
from kprob.effects.stack import Handler
from kprob.errors import SiteError, explain
from kprob.options import check_number
from kprob.saving import register
from kprob.types import Tensor


@register
@dataclass(frozen=True)
class LocScale:
    """Writes a loc-scale site as `loc + scale * noise`, partly or wholly (Papaspiliopoulos, Roberts and Sköld 2007).

    With centring c the new latent is distributed with location c·loc and scale scale^c, and the value is
    loc + scale^(1-c) · (latent - c·loc).

    Args:
        centered: c between 0, wholly non-centred, and 1, the site as it was; None to learn it (Gorinova, Moore and
            Hoffman 2020), one for each element of a value.

    Example:
        ```python
        import kprob
        from kprob import tfd

        network = kprob.handlers.reparam(
            lambda: kprob.sample("x", tfd.Normal(5.0, 2.0)), {"x": kprob.LocScale(centered=0.0)}
        )
        assert list(kprob.handlers.trace(network).get_trace()) == ["x_decentered", "x"]
        ```
    """

    centered: float | None = 0.0

    def __post_init__(self) -> None:
        if self.centered is not None:  # to be learned
            check_number("centered", self.centered, 0.0, 1.0, ends="[]", example=0.0, error=SiteError)

    def latent_name(self, site: str) -> str:
        """Returns the name of the latent that takes a site's place."""
        return f"{site}_decentered"

    def apply(self, site: Site) -> Tensor:
        """Draws the new latent and returns the site's value."""
        # The plates bring back the axes of a broadcast.
        base, event_ndims = split_wrappers(site.distribution)
        parameters = base.parameters
        if "loc" not in parameters or "scale" not in parameters or base.event_shape.rank:
            raise SiteError(
                explain(
                    f"LocScale can't rewrite site `{site.name}`.",
                    received=f"a {type(base).__name__}",
                    expected="a scalar family with a location and a scale, such as Normal, StudentT or Laplace",
                    fix="use Transform() for a transformed distribution, or leave the site as it is",
                )
            )
        loc, scale = base.loc, base.scale
        c: Tensor = self.centered
        if c is None:
            c = param(f"{site.name}_centered", np.full(tuple(site.distribution.event_shape), 0.5), "unit")
        moved = base.copy(loc=c * loc, scale=scale**c)
        latent = sample(self.latent_name(site.name), tfd.Independent(moved, event_ndims) if event_ndims else moved)
        return loc + scale ** (1.0 - c) * (latent - c * loc)

    def invert(self, site: Site) -> tuple[Tensor, Tensor]:
        """Returns the latent that a site's value comes from, and the logarithm of its derivative, one for each plate element."""
        base, event_ndims = split_wrappers(site.distribution)
        c: Tensor = self.centered
        if c is None:
            c = param(f"{site.name}_centered", np.full(tuple(site.distribution.event_shape), 0.5), "unit")
        latent = c * base.loc + (site.value - base.loc) / base.scale ** (1.0 - c)
        log_slope = keras.ops.broadcast_to((c - 1.0) * keras.ops.log(base.scale), keras.ops.shape(latent))
        return latent, _sum_last(log_slope, event_ndims)

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return {"centered": self.centered}

    @classmethod
    def from_config(cls, config: dict) -> "LocScale":
        """Makes it from `get_config`'s result."""
        return cls(**config)


@register
@dataclass(frozen=True)
class Transform:
    """Writes a transformed site as the transformation of a base latent.

    Example:
        ```python
        import kprob
        from kprob import tfd

        network = kprob.handlers.reparam(
            lambda: kprob.sample("x", tfd.LogNormal(0.0, 1.0)), {"x": kprob.Transform()}
        )
        assert list(kprob.handlers.trace(network).get_trace()) == ["x_base", "x"]
        ```
    """

    def latent_name(self, site: str) -> str:
        """Returns the name of the latent that takes a site's place."""
        return f"{site}_base"

    def apply(self, site: Site) -> Tensor:
        """Draws the base latent and returns the site's value."""
        outer, event_ndims = split_wrappers(site.distribution)
        if not isinstance(outer, tfd.TransformedDistribution):
            raise SiteError(
                explain(
                    f"Transform can't rewrite site `{site.name}`.",
                    received=f"a {type(outer).__name__}",
                    expected="a tfd.TransformedDistribution, such as LogNormal",
                    fix="use LocScale() for a loc-scale family, or leave the site as it is",
                )
            )
        base = outer.distribution
        latent = sample(self.latent_name(site.name), tfd.Independent(base, event_ndims) if event_ndims else base)
        return outer.bijector.forward(latent)

    def invert(self, site: Site) -> tuple[Tensor, Tensor]:
        """Returns the latent that a site's value comes from, and the logarithm of its derivative, one for each plate element."""
        outer, event_ndims = split_wrappers(site.distribution)
        own = len(outer.event_shape)
        latent = outer.bijector.inverse(site.value)
        log_slope = outer.bijector.inverse_log_det_jacobian(site.value, event_ndims=own)
        shape = tuple(keras.ops.shape(site.value))
        return latent, _sum_last(keras.ops.broadcast_to(log_slope, shape[: len(shape) - own]), event_ndims)

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict) -> "Transform":
        """Makes it from `get_config`'s result."""
        return cls(**config)


class Inverted(Handler):
    """Notes, for sites of a run that have values, the latents that stand for them in another form.

    Args:
        config: `LocScale` or `Transform` by site name.

    Attributes:
        latents: By the latents' names, their values.
        log_slopes: By site, the logarithm of the derivative of its latent, one number for each element of its plates.
    """

    def __init__(self, config: Mapping):
        super().__init__()
        self.config = dict(config)
        self.latents: dict[str, Tensor] = {}
        self.log_slopes: dict[str, Tensor] = {}

    def on_sample(self, site: Site) -> None:
        if site.name in self.config and site.value is not None:
            how = self.config[site.name]
            self.latents[how.latent_name(site.name)], self.log_slopes[site.name] = how.invert(site)


class reparam(Handler):
    """`reparam(network, config)` draws other latents for the named sites, whose values keep their distribution.

    Args:
        network: The network.
        config: `LocScale` or `Transform` by site name.

    Example:
        ```python
        import kprob
        from kprob import tfd

        network = kprob.handlers.reparam(
            lambda: kprob.sample("x", tfd.Normal(5.0, 2.0)), {"x": kprob.LocScale()}
        )
        assert kprob.handlers.trace(network).get_trace()["x"].is_deterministic
        ```
    """

    def __init__(self, network: Callable | None = None, config: Mapping | None = None):
        super().__init__(network)
        self.config = dict(config or {})

    def on_sample(self, site: Site) -> None:
        if site.name not in self.config or site.value is not None:
            return
        # The plates of the site are open now, so that the new latent lands in the same ones.
        site.value = self.config[site.name].apply(site)
        site.kind = SiteKind.DETERMINISTIC


def _sum_last(value: Tensor, ndims: int) -> Tensor:
    return keras.ops.sum(value, axis=tuple(range(-ndims, 0))) if ndims else value
