"""The stack of handlers, and what happens when a network meets a site.

A network is an ordinary function. It calls a primitive (`sample`, `param`, ...), which makes a `Site` and sends it along
the stack of handlers that are open at the moment, the innermost first: each may give the site a value, a seed, a scale,
or hide it from those further out. If no one gave a value, it is drawn. Then the site goes back once more, so
that `trace` sees it complete. That is all; every handler is a few lines on these two visits.

The stack belongs to a thread, so that chains may run side by side.
"""

import inspect
import threading
from collections.abc import Callable
from typing import Any, Self, assert_never

from kprob import distributions
from kprob.backend import random
from kprob.effects.site import Plate, Site, SiteKind
from kprob.errors import explain
from kprob.types import Seed, Tensor


class _State(threading.local):
    def __init__(self) -> None:
        self.handlers: list[Handler] = []
        self.plates: list[Plate] = []


STATE = _State()


def _no_network(*args: Any, **kwargs: Any) -> None:
    raise TypeError("this handler wraps no network: use it in a `with` block, or pass the network first")


class Handler:
    """Base class of handlers: a context manager that is also a wrapper of a network.

    To subclass, override the method of each kind of site that the handler is about, such as `on_sample` (before a value is
    drawn, innermost handler first), `after_site` (once the value is there) or `on_plate` (when a plate opens); or `on_site`,
    which sees all kinds and hands each site to its method.

    Args:
        network: The network that calling the handler runs with the handler open; None for use in a `with` block.
    """

    # Whether it belongs to a run of a model, which itself looks at parameters that are tensors: those that follow from
    # latents may be impossible in one draw and possible in the next.
    of_model = False

    def __init__(self, network: Callable | None = None):
        if network is not None and not callable(network):
            name = type(self).__name__
            raise TypeError(
                explain(
                    f"The first argument of `{name}` is the network that it wraps.",
                    received=f"{type(network).__name__} as the network",
                    expected="a function, or nothing in a `with` block",
                    fix=f"name the setting, as in `{_example(type(self))}`",
                )
            )
        self.network = network

    def __enter__(self) -> Self:
        STATE.handlers.append(self)
        return self

    def __exit__(self, *exception: object) -> None:
        STATE.handlers.remove(self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with self:
            return (self.network or _no_network)(*args, **kwargs)

    def on_site(self, site: Site) -> None:
        """Called for every site before a value is drawn: hands it to the method of its kind."""
        match site.kind:
            case SiteKind.SAMPLE:
                self.on_sample(site)
            case SiteKind.PARAM:
                self.on_param(site)
            case SiteKind.DETERMINISTIC:
                self.on_deterministic(site)
            case SiteKind.FACTOR:
                self.on_factor(site)
            case SiteKind.MODULE:
                self.on_module(site)
            case SiteKind.SCAN:
                self.on_scan(site)
            case SiteKind.SEED:
                self.on_seed(site)
            case SiteKind.STATE_BEFORE:
                self.on_state_before(site)
            case _:
                assert_never(site.kind)

    def on_sample(self, site: Site) -> None:
        """Called for a random variable."""

    def on_param(self, site: Site) -> None:
        """Called for a learned parameter."""

    def on_deterministic(self, site: Site) -> None:
        """Called for a value that follows from others."""

    def on_factor(self, site: Site) -> None:
        """Called for a number that is added to the log-density."""

    def on_module(self, site: Site) -> None:
        """Called for a network that becomes part of the model."""

    def on_scan(self, site: Site) -> None:
        """Called for a scan: a handler may set its value to a function of `Steps`, which then returns the scan's result."""

    def on_seed(self, site: Site) -> None:
        """Called for a seed that a primitive needs."""

    def on_state_before(self, site: Site) -> None:
        """Called for the value that a state along time had one step earlier."""

    def after_site(self, site: Site) -> None:
        """Called when the site is complete."""

    def on_plate(self, plate: Plate) -> None:
        """Called when a plate opens."""


def _example(handler: type) -> str:
    settings = list(inspect.signature(handler).parameters)[1:]
    return f"with kprob.handlers.{handler.__name__}({settings[0] + '=...' if settings else ''}):"


def send(site: Site) -> Site:
    """Sends a site along the open handlers and draws its value where none gave one."""
    visited = []
    for handler in reversed(STATE.handlers):
        visited.append(handler)
        handler.on_site(site)
        if site.hidden:
            break
    if site.is_random and site.mask is None and not site.intervened:
        of_model = any(handler.of_model for handler in STATE.handlers)
        distributions.check_parameters(site.name, site.distribution, numbers_only=of_model)
    if site.value is None and site.is_random:
        seed = random.fresh_seed() if site.seed is None else site.seed
        site.value = draw_in_plates(site, seed)
    for handler in visited:
        handler.after_site(site)
    return site


def draw_in_plates(site: Site, seed: Seed) -> Tensor:
    """Draws a site's value: its distribution repeated over those outer plates that its parameters don't have."""
    sizes = tuple(plate.size for plate in site.plates)
    batch_ndims = len(site.distribution.batch_shape)
    return distributions.draw(site.distribution, sizes[: len(sizes) - batch_ndims], seed)


def running() -> bool:
    """Whether a network is being run by handlers (rather than a layer being called on its own)."""
    return bool(STATE.handlers)
