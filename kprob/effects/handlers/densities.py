"""Handlers that change how much sites count in the log-density of a run."""

from collections.abc import Callable
from typing import Self

import keras

from kprob.effects.density_weights import check_fits, checked_mask, checked_scale
from kprob.effects.site import Site
from kprob.effects.stack import Handler
from kprob.types import ArrayLike, Tensor


class scale(Handler):
    """`scale(network, factor)` multiplies the log-density of every site by a factor.

    Args:
        network: The network.
        factor: A number that isn't negative, or a tensor that broadcasts to the plates.

    Example:
        ```python
        import kprob
        from kprob import tfd

        network = kprob.handlers.condition(lambda: kprob.sample("x", tfd.Normal(0.0, 1.0)), {"x": 0.0})
        once = kprob.handlers.trace(network).get_trace().log_prob()
        twice = kprob.handlers.trace(kprob.handlers.scale(network, 2.0)).get_trace().log_prob()
        assert abs(float(twice) - 2 * float(once)) < 1e-6
        ```
    """

    def __init__(self, network: Callable | None = None, factor: ArrayLike = 1.0):
        super().__init__(network)
        self.factor = factor
        self.checked: Tensor = None

    def __enter__(self) -> Self:
        self.checked = None
        return super().__enter__()

    def on_sample(self, site: Site) -> None:
        self._scale(site)

    def on_factor(self, site: Site) -> None:
        self._scale(site)

    def on_scan(self, site: Site) -> None:
        # The sites of the steps are scaled one by one: who takes the steps over is to know.
        site.scale = self.factor

    def _scale(self, site: Site) -> None:
        if self.checked is None:
            self.checked = checked_scale(site, self.factor)
        if isinstance(site.scale, float) and site.scale == 1.0:
            # The same object for all sites of one handler: a sum over discrete latents asks whether they are scaled alike.
            site.scale = self.checked
            return
        _check_both(site, site.scale, self.checked, "scale")
        site.scale = site.scale * self.checked


class mask(Handler):
    """`mask(network, mask)` makes the log-density of every site zero where the mask is False.

    Args:
        network: The network.
        mask: A boolean, or a boolean tensor that broadcasts to the plates; 0 and 1 stand for False and True.

    Example:
        ```python
        import kprob
        from kprob import tfd

        network = kprob.handlers.mask(lambda: kprob.sample("x", tfd.Normal(0.0, 1.0)), False)
        assert float(kprob.handlers.trace(network).get_trace().log_prob()) == 0.0
        ```
    """

    def __init__(self, network: Callable | None = None, mask: ArrayLike = True):
        super().__init__(network)
        self.mask = mask
        self.checked: Tensor = None

    def __enter__(self) -> Self:
        self.checked = None
        return super().__enter__()

    def on_sample(self, site: Site) -> None:
        self._mask(site)

    def on_factor(self, site: Site) -> None:
        self._mask(site)

    def on_scan(self, site: Site) -> None:
        site.mask = self.mask

    def _mask(self, site: Site) -> None:
        if self.checked is None:
            self.checked = checked_mask(site, self.mask)
        own = self.checked
        if site.mask is None:
            site.mask = own
            return
        _check_both(site, site.mask, own, "mask")
        if all(keras.backend.standardize_dtype(part.dtype) == "bool" for part in (site.mask, own)):
            site.mask = keras.ops.logical_and(site.mask, own)
        else:
            site.mask = keras.ops.multiply(keras.ops.cast(site.mask, "float32"), keras.ops.cast(own, "float32"))


def _check_both(site: Site, one: Tensor, other: Tensor, what: str) -> None:
    # What one handler asks for is checked where the density is computed; two must fit each other before.
    shapes = [tuple(getattr(weight, "shape", ())) for weight in (one, other)]
    for axis in range(1, 1 + min(len(shape) for shape in shapes)):
        if len({shape[-axis] for shape in shapes} - {1, None}) > 1:
            for weight in (one, other):
                check_fits(site, weight, what)
