"""Handlers that change how much sites count in the log-density of a run."""

from collections.abc import Callable

import keras

from kprob.effects.site import Site
from kprob.effects.stack import Handler
from kprob.types import ArrayLike


class scale(Handler):
    """`scale(network, factor)` multiplies the log-density of every site by a factor.

    Args:
        network: The network.
        factor: A positive number, or a tensor that broadcasts to the plates.

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

    def on_sample(self, site: Site) -> None:
        site.scale = site.scale * self.factor

    def on_factor(self, site: Site) -> None:
        site.scale = site.scale * self.factor


class mask(Handler):
    """`mask(network, mask)` makes the log-density of every site zero where the mask is False.

    Args:
        network: The network.
        mask: A boolean, or a boolean tensor that broadcasts to the plates.

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

    def on_sample(self, site: Site) -> None:
        self._mask(site)

    def on_factor(self, site: Site) -> None:
        self._mask(site)

    def _mask(self, site: Site) -> None:
        own = keras.ops.convert_to_tensor(self.mask, dtype="bool")
        site.mask = own if site.mask is None else keras.ops.logical_and(site.mask, own)
