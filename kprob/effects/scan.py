"""Time: a step that is declared once and stands for all of them.

What happens at one time depends on what happened before. Once the values of all random variables are known, so is every
step's past, and the steps are independent: time is then a plate, and the step runs once, on all times together. So `scan`
asks the open handlers first which values they have. Only what nobody has must be drawn, one time after the other, in a
compiled loop. A discrete state that is summed out needs neither: the engine gives the state before, and the state, one
value of each for all times, and puts the pairs of times together afterwards.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import keras

from kprob import checks
from kprob.backend import accumulate, find_influences, random
from kprob.effects import handlers
from kprob.effects.primitives import plate
from kprob.effects.site import Site
from kprob.effects.stack import STATE, Handler, draw_in_plates, send
from kprob.errors import SiteError, explain, names

ops, tree = keras.ops, keras.tree

STAND_INS = "stand-ins"


def scan(step: Callable, initial: Any, xs: Any, name: str = "time") -> Any:
    """Runs a step along time, each with what the step before it returned.

    The step is a part of a network, and is written for one time. Its sites get a plate, the innermost one, which is as
    long as time; their values, `previous` and `x` have its axis after those of the other plates, as in any plate.

    A discrete state that `inference` leaves out is summed out, in time linear in the length (for few states: each step is
    a product of matrices, and steps are taken in pairs). Continuous latents inside get their values from `inference`.

    Args:
        step: `step(previous, x)` declares the sites of one time and returns what the next step gets as `previous`.
        initial: What the first step gets: a number, or a tensor or a structure of tensors of shape
            `plate_shape + value_shape`, without time.
        xs: The number of steps, and `x` is the step's number; or a tensor, or a structure of them, of shape
            `plate_shape + (steps,) + value_shape`.
        name: Name of the plate.

    Returns:
        What the steps returned, along the axis of time.

    Raises:
        SiteError: A state that is summed out isn't known from the step alone.

    Example:
        ```python
        import keras
        import kprob
        from kprob import tfd

        def walk(previous, t):
            return kprob.sample("x", tfd.Normal(previous, 1.0))

        assert kprob.scan(walk, 0.0, 100).shape == (100,)
        ```
    """
    axis = len(STATE.plates)
    xs, length = _elements(xs, axis)
    start = tree.map_structure(_start, initial)
    probe = Screen(asking=True)
    with _time(name, length), probe:
        carry = step(tree.map_structure(lambda v: ops.repeat(v, length, axis=axis), start), xs)
    start = tree.map_structure(lambda v, c: _like(v, c, axis), start, carry)
    known = {n: v for n, v in probe.values.items() if n not in probe.missing}
    if probe.missing or not _is_direct(step, start, xs, carry, probe, (name, length, axis)):
        if probe.summed:
            raise SiteError(_unknown_past(probe))
        if probe.missing and send(Site(name, "scan")).value == STAND_INS:
            known = dict(probe.values)
        else:
            drawn, carry = _simulate(step, start, xs, known, probe, (name, axis))
            known |= drawn
    given = {n: v for n, v in known.items() if n not in probe.summed and n not in probe.observed}
    previous = tree.map_structure(lambda v, c: _shifted(v, c, length, axis), start, carry)
    with _time(name, length), handlers.substitute(values=given):
        return step(previous, xs)


class AnyPast(Handler):
    """Inside, `scan` draws no site step by step: each time has the past of the first.

    For runs of which only shapes, types and supports matter. Drawn one after the other, ten thousand steps take seconds.
    """

    def on_site(self, site: Site) -> None:
        if site.kind == "scan":
            site.value = STAND_INS


class Screen(Handler):
    """Keeps the sites of a trial from handlers further out, and notes their values.

    Args:
        asking: Whether those handlers are asked for values.
    """

    def __init__(self, asking: bool):
        super().__init__()
        self.asking, self.outer = asking, list(STATE.handlers)
        self.values: dict[str, Any] = {}
        self.missing: set[str] = set()
        self.summed: set[str] = set()
        self.observed: set[str] = set()

    def on_site(self, site: Site) -> None:
        if site.kind in ("param", "module"):
            site.value = self._ask(site).value
        elif site.kind == "sample" and site.value is None and self.asking:
            self._find_value(site)
        site.hidden = site.kind not in ("seed", "scan")

    def after_site(self, site: Site) -> None:
        if site.kind == "sample":
            self.values[site.name] = site.value

    def _find_value(self, site: Site) -> None:
        before = self._ask(dataclasses.replace(site, kind="before"))
        if before.value is not None:
            self.summed.add(site.name)
            site.value = before.value
            return
        asked = self._ask(site)
        if asked.value is None:
            self.missing.add(site.name)
            asked.value = draw_in_plates(site, random.seed(0))  # a stand-in, of the right shape
        if asked.observed:
            self.observed.add(site.name)
        site.value = asked.value

    def _ask(self, site: Site) -> Site:
        asked = dataclasses.replace(site)
        for handler in reversed(self.outer):
            if not isinstance(handler, handlers.seed):
                handler.on_site(asked)
            if asked.hidden:
                break
        return asked


@contextlib.contextmanager
def _time(name: str, length: int) -> Iterator[None]:
    with plate(name, length) as opened:
        opened.is_time = True
        yield


def _elements(xs: Any, axis: int) -> tuple[Any, int]:
    if isinstance(xs, int) and not isinstance(xs, bool):
        checks.check_count("xs", xs, error=SiteError)
        return ops.reshape(ops.arange(xs, dtype="int32"), (*[1] * axis, xs)), xs
    xs = tree.map_structure(ops.convert_to_tensor, xs)
    lengths = {tuple(x.shape)[axis] if len(x.shape) > axis else None for x in tree.flatten(xs)}
    length = next(iter(lengths), None)
    if len(lengths) != 1 or length is None:
        raise SiteError(
            explain(
                "`scan` needs to know how many steps there are.",
                received=f"xs of shapes {', '.join(str(tuple(x.shape)) for x in tree.flatten(xs)) or 'none'}",
                expected=f"a number, or tensors that all have the steps along axis {axis}, after the open plates",
                fix="pass an int, or reshape what each step gets",
            )
        )
    return xs, length


def _start(value: Any) -> Any:
    # With an axis of length 1 for time.
    value = ops.convert_to_tensor(value)
    sizes = tuple(opened.size for opened in STATE.plates)
    value = ops.broadcast_to(value, sizes) if not len(value.shape) else value
    return ops.expand_dims(value, len(sizes))


def _like(start: Any, carry: Any, axis: int) -> Any:
    # The first step's past, of the shape and type that every later one has.
    shape = tuple(ops.shape(carry))
    return ops.broadcast_to(ops.cast(start, carry.dtype), (*shape[:axis], 1, *shape[axis + 1 :]))


def _shifted(start: Any, carry: Any, length: int, axis: int) -> Any:
    return ops.concatenate([start, ops.take(carry, ops.arange(length - 1), axis=axis)], axis=axis)


def _is_direct(step: Callable, start: Any, xs: Any, carry: Any, probe: Screen, where: tuple) -> bool:
    # Whether what a step returns follows from its own sites, and not from the steps before it.
    if all(any(part is value for value in probe.values.values()) for part in tree.flatten(carry)):
        return True
    name, length, axis = where
    repeated = [ops.repeat(part, length, axis=axis) for part in tree.flatten(start)]

    def run(parts: dict) -> dict:
        with _time(name, length), Screen(asking=False), handlers.substitute(values=probe.values):
            found = step(tree.pack_sequence_as(start, list(parts.values())), xs)
        return {str(i): part for i, part in enumerate(tree.flatten(found))}

    influences = find_influences(run, {str(i): part for i, part in enumerate(repeated)})
    return not any(influences.values())


def _simulate(step: Callable, start: Any, xs: Any, known: dict, probe: Screen, where: tuple) -> tuple[dict, Any]:
    # One time after the other; the axis of time has length 1 in each.
    name, axis = where
    asked = send(Site(name, "seed"))
    seed = random.fresh_seed() if asked.seed is None else asked.seed
    length = ops.shape(tree.flatten(xs)[0])[axis]
    elements = {"x": xs, "known": known}
    elements = tree.map_structure(lambda value: ops.moveaxis(value, axis, 0), elements)
    elements["seed"] = random.split(seed, length)

    def once(state: dict, element: dict) -> dict:
        now = tree.map_structure(lambda value: ops.expand_dims(value, axis), {k: element[k] for k in ("x", "known")})
        screen = Screen(asking=False)
        with _time(name, 1), screen, handlers.seed(seed=element["seed"]), handlers.substitute(values=now["known"]):
            carry = step(state["carry"], now["x"])
        drawn = {n: screen.values[n] for n in probe.missing}
        return {"carry": tree.map_structure(lambda c, s: ops.cast(c, s.dtype), carry, start), "drawn": drawn}

    first = {n: ops.take(probe.values[n], ops.arange(1), axis=axis) for n in probe.missing}
    stacked = accumulate(once, {"carry": start, "drawn": first}, elements)
    stacked = tree.map_structure(lambda value: ops.moveaxis(ops.squeeze(value, axis + 1), 0, axis), stacked)
    return stacked["drawn"], stacked["carry"]


def _unknown_past(probe: Screen) -> str:
    return explain(
        f"{names(sorted(probe.summed))} can't be summed out along time.",
        received="a step whose result depends on the steps before it in more ways than by its own sites"
        + (f"; no values for {names(sorted(probe.missing))}" if probe.missing else ""),
        expected="a step that returns its discrete state, or what follows from its own sites alone",
        fix=f"return the state itself, or declare {names(sorted(probe.summed))} in `inference`",
    )
