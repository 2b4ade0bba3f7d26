"""The steps of a `scan` as a record: what each of them gets, which of their sites have values, and how one of them is run.

The time plate is as long as time where all steps run together. It may as well be one step long, or as long as there are
copies of one step, each with a past of its own: the elements of the plate don't know of each other.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import keras

from kprob.backend import random
from kprob.effects import handlers
from kprob.effects.primitives import plate
from kprob.effects.reparameterize import reparam
from kprob.effects.site import Plate, Site, SiteKind
from kprob.effects.stack import STATE, Handler, draw_in_plates
from kprob.effects.trace import Trace
from kprob.types import Seed, Tensor

ops, tree = keras.ops, keras.tree


class TrialRun(Handler):
    """Hides the sites of a trial run of the steps from handlers further out, and notes their values.

    Args:
        asking: Whether these handlers are asked for values.
    """

    def __init__(self, asking: bool):
        super().__init__()
        self.asking, self.outer = asking, list(STATE.handlers)
        self.values: dict[str, Any] = {}
        self.missing: set[str] = set()
        self.summed: set[str] = set()
        self.observed: set[str] = set()
        self.rewritten: set[str] = set()

    def on_site(self, site: Site) -> None:
        super().on_site(site)
        site.hidden = site.kind is not SiteKind.SEED

    def on_param(self, site: Site) -> None:
        site.value = self._ask(site).value

    def on_module(self, site: Site) -> None:
        site.value = self._ask(site).value

    def on_sample(self, site: Site) -> None:
        if site.value is None and self.asking:
            self._find_value(site)

    def after_site(self, site: Site) -> None:
        if site.is_random and site.name not in self.rewritten:
            self.values[site.name] = site.value

    def _find_value(self, site: Site) -> None:
        before = self._ask(dataclasses.replace(site, kind=SiteKind.STATE_BEFORE))
        if before.value is not None:
            self.summed.add(site.name)
            site.value = before.value
            return
        asked = self._ask(site)
        if asked.is_deterministic:  # `reparam` has drawn another latent in its place
            self.rewritten.add(site.name)
        elif asked.value is None:
            self.missing.add(site.name)
            asked.value = draw_in_plates(site, random.seed(0))  # a stand-in, of the right shape
        if asked.observed:
            self.observed.add(site.name)
        site.value = asked.value

    @property
    def forms(self) -> dict[str, Any]:
        """`LocScale` or `Transform` by rewritten site."""
        found: dict[str, Any] = {}
        for handler in self.outer:
            if isinstance(handler, reparam):
                found |= {name: how for name, how in handler.config.items() if name in self.rewritten}
        return found

    def _ask(self, site: Site) -> Site:
        asked = dataclasses.replace(site)
        for handler in reversed(self.outer):
            if not isinstance(handler, handlers.seed):
                handler.on_site(asked)
            if asked.hidden:
                break
        return asked


@dataclasses.dataclass(frozen=True)
class Steps:
    """A `scan` as a handler gets it that takes it over (`Handler.on_scan`).

    Attributes:
        step: The user's function of `(previous, x)`.
        start: What the first step gets, with an axis of length 1 for time.
        xs: What each step gets, with an axis of time.
        name: Name of the time plate.
        length: Number of steps.
        plates: The plates around; the axis of time comes after theirs.
        known: Values of the sites that have some, by name: data, and what handlers give.
        missing: Names of the sites that have no values, in order.
        carry: What a trial of all steps returned: only its shapes and types mean anything.
        forms: `LocScale` or `Transform` by site that runs in another form.
    """

    step: Callable
    start: Any
    xs: Any
    name: str
    length: int
    plates: tuple[Plate, ...]
    known: dict[str, Tensor]
    missing: tuple[str, ...]
    carry: Any
    forms: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def axis(self) -> int:
        """The axis of time."""
        return len(self.plates)

    def run(self, previous: Any, x: Any, values: dict, seed: Seed, size: int = 1) -> tuple[Any, Trace]:
        """Runs the step on some pasts; no handler outside sees its sites.

        Args:
            previous: What the step before returned; the axis of time is `size` long.
            x: What the step gets, likewise.
            values: Values of sites, likewise.
            seed: A seed for the sites that have no value.
            size: Length of the time plate.

        Returns:
            What the step returned, of the types of `start`, and its trace.
        """
        sites = handlers.trace()
        with _plates(self.plates), time_plate(self.name, size), TrialRun(asking=False), handlers.seed(seed=seed):
            with reparam(config=self.forms), sites, handlers.substitute(values=values):
                carry = self.step(previous, x)
        return tree.map_structure(lambda c, s: ops.cast(c, s.dtype), carry, self.start), sites.result


@contextlib.contextmanager
def time_plate(name: str, length: int) -> Iterator[None]:
    """Opens the plate of a scan."""
    with plate(name, length) as opened:
        opened.is_time = True
        yield


@contextlib.contextmanager
def _plates(plates: tuple[Plate, ...]) -> Iterator[None]:
    before, STATE.plates = STATE.plates, list(plates)
    try:
        yield
    finally:
        STATE.plates = before
