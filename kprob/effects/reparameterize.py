"""Reparameterisation: the same model written with other latent sites, whose posterior is easier to reach."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kprob.backend import tfd
from kprob.effects.primitives import sample
from kprob.effects.site import Site
from kprob.effects.stack import Handler
from kprob.errors import SiteError, explain
from kprob.types import Tensor


@dataclass(frozen=True)
class LocScale:
    """Writes a loc-scale site as `loc + scale * noise`, partly or wholly (Papaspiliopoulos, Roberts and Sköld 2007).

    With centring c the new latent is distributed with location c·loc and scale scale^c, and the value is
    loc + scale^(1-c) · (latent - c·loc).

    Args:
        centered: c between 0, wholly non-centred, and 1, the site as it was.

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

    centered: float = 0.0

    def apply(self, site: Site) -> Tensor:
        """Draws the new latent and returns the site's value."""
        base, event_ndims = site.distribution, 0
        if isinstance(base, tfd.Independent):
            base, event_ndims = base.distribution, len(base.event_shape) - len(base.distribution.event_shape)
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
        c = self.centered
        moved = base.copy(loc=c * loc, scale=scale**c)
        latent = sample(f"{site.name}_decentered", tfd.Independent(moved, event_ndims) if event_ndims else moved)
        return loc + scale ** (1.0 - c) * (latent - c * loc)


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

    def apply(self, site: Site) -> Tensor:
        """Draws the base latent and returns the site's value."""
        outer, event_ndims = site.distribution, 0
        if isinstance(outer, tfd.Independent):
            event_ndims = len(outer.event_shape) - len(outer.distribution.event_shape)
            outer = outer.distribution
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
        latent = sample(f"{site.name}_base", tfd.Independent(base, event_ndims) if event_ndims else base)
        return outer.bijector.forward(latent)


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
        assert kprob.handlers.trace(network).get_trace()["x"].kind == "deterministic"
        ```
    """

    def __init__(self, network: Callable | None = None, config: Mapping | None = None):
        super().__init__(network)
        self.config = dict(config or {})

    def on_site(self, site: Site) -> None:
        if site.kind != "sample" or site.name not in self.config or site.value is not None:
            return
        # The plates of the site are open now, so that the new latent lands in the same ones.
        site.value = self.config[site.name].apply(site)
        site.kind = "deterministic"
