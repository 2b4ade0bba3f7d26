"""Time: a step that is declared once and stands for all of them.

What happens at one time depends on what happened before. Once the values of all random variables are known, so is every
step's past, and the steps are independent: time is then a plate, and the step runs once, on all times together. So `scan`
first asks the open handlers for values. Only what none of them has must be drawn, one time after the other, in a compiled
loop. A discrete state that is summed out needs neither: the engine gives the state before, and the state, one value of
each for all times, and puts the pairs of times together afterwards.
"""

from collections.abc import Callable
from typing import Any

import keras

from kprob import checks
from kprob.backend import accumulate, find_influences, random
from kprob.effects import handlers
from kprob.effects.site import Site, SiteKind
from kprob.effects.stack import STATE, Handler, send
from kprob.effects.steps import Steps, TrialRun, time_plate
from kprob.errors import SiteError, explain, names

ops, tree = keras.ops, keras.tree

# The answer of a handler to which only shapes matter: no site need be drawn step by step.
STAND_INS = object()


def scan(step: Callable, initial: Any, xs: Any, name: str = "time") -> Any:
    """Runs a step along time, each with what the step before it returned.

    The step is a part of a network, and is written for one time. Its sites get a plate, the innermost one, which is as
    long as time; their values, `previous` and `x` have its axis after those of the other plates, as in any plate.

    A discrete state that `inference` leaves out is summed out, in time linear in the length (for few states: each step is
    a product of matrices, and steps are taken in pairs). Continuous latents inside get their values from `inference`.
    `model.particle_filter` follows the latents of either kind by particles.

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
    probe = TrialRun(asking=True)
    with time_plate(name, length), probe:
        carry = step(tree.map_structure(lambda v: ops.repeat(v, length, axis=axis), start), xs)
    start = tree.map_structure(lambda v, c: _like(v, c, axis), start, carry)
    known = {n: v for n, v in probe.values.items() if n not in probe.missing}
    missing = tuple(n for n in probe.values if n in probe.missing)
    steps = Steps(step, start, xs, name, length, tuple(STATE.plates), known, missing, carry, probe.forms)
    answer = send(Site(name, SiteKind.SCAN)).value
    if callable(answer):  # a handler takes the steps over
        return answer(steps)
    # A site that runs in another form follows from its latent and its own past: its values are found step by step.
    if missing or probe.rewritten or not _is_direct(steps, probe):
        if probe.summed:
            raise SiteError(_unknown_past(probe))
        if (missing or probe.rewritten) and answer is STAND_INS:
            known = dict(probe.values)
        else:
            draws, carry = _simulate(steps, probe)
            known |= draws
    latents = {n: v for n, v in known.items() if n not in probe.summed and n not in probe.observed}
    previous = tree.map_structure(lambda v, c: _shifted(v, c, length, axis), start, carry)
    with time_plate(name, length), handlers.substitute(values=latents):
        return step(previous, xs)


class AnyPast(Handler):
    """Inside, `scan` draws no site step by step: each time has the past of the first.

    For runs of which only shapes, types and supports matter. Drawn one after the other, ten thousand steps take seconds.
    """

    def on_scan(self, site: Site) -> None:
        site.value = STAND_INS


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


def _is_direct(steps: Steps, probe: TrialRun) -> bool:
    # Whether what a step returns follows from its own sites, and not from the steps before it.
    if all(any(part is value for value in probe.values.values()) for part in tree.flatten(steps.carry)):
        return True
    repeated = [ops.repeat(part, steps.length, axis=steps.axis) for part in tree.flatten(steps.start)]

    def run(parts: dict) -> dict:
        with time_plate(steps.name, steps.length), TrialRun(asking=False), handlers.substitute(values=probe.values):
            carry = steps.step(tree.pack_sequence_as(steps.start, list(parts.values())), steps.xs)
        return {str(i): part for i, part in enumerate(tree.flatten(carry))}

    influences = find_influences(run, {str(i): part for i, part in enumerate(repeated)})
    return not any(influences.values())


def _simulate(steps: Steps, probe: TrialRun) -> tuple[dict, Any]:
    # One time after the other; the axis of time has length 1 in each.
    axis = steps.axis
    seed = send(Site(steps.name, SiteKind.SEED)).seed
    seed = random.fresh_seed() if seed is None else seed
    length = ops.shape(tree.flatten(steps.xs)[0])[axis]
    elements = tree.map_structure(lambda value: ops.moveaxis(value, axis, 0), {"x": steps.xs, "known": steps.known})
    elements["seed"] = random.split(seed, length)

    def once(state: dict, element: dict) -> dict:
        now = tree.map_structure(lambda value: ops.expand_dims(value, axis), {k: element[k] for k in ("x", "known")})
        carry, trace = steps.run(state["carry"], now["x"], now["known"], element["seed"])
        return {"carry": carry, "draws": {n: trace[n].value for n in steps.missing}}

    first = {n: ops.take(probe.values[n], ops.arange(1), axis=axis) for n in steps.missing}
    stacked = accumulate(once, {"carry": steps.start, "draws": first}, elements)
    stacked = tree.map_structure(lambda value: ops.moveaxis(ops.squeeze(value, axis + 1), 0, axis), stacked)
    return stacked["draws"], stacked["carry"]


def _unknown_past(probe: TrialRun) -> str:
    return explain(
        f"{names(sorted(probe.summed))} can't be summed out along time.",
        received="a step whose result depends on the steps before it in more ways than by its own sites"
        + (f"; no values for {names(sorted(probe.missing))}" if probe.missing else ""),
        expected="a step that returns its discrete state, or what follows from its own sites alone",
        fix=f"return the state itself, or declare {names(sorted(probe.summed))} in `inference`",
    )
