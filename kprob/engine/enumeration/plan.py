"""What is summed out of a generative network, and in which runs: found once, when the model is built.

A site's density is needed for all values of the discrete latents that it depends on. The network is written for one draw,
so it runs with one set of values at a time; but a run serves many sites at once. The latents get colours, such that those
which meet in one site's parameters differ, and latents of one colour take the same value in a run. However long a chain
is, each of its states depends on one other: one colour will do, and as many runs as a state has values.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np

from kprob import distributions
from kprob.backend import find_influences, random
from kprob.data.batch import rows_of
from kprob.effects import Handler, Site, Trace
from kprob.engine.enumeration.factors import log_factor
from kprob.errors import SiteError, explain, names
from kprob.numerics import to_numpy

MOST_RUNS = 4096


@dataclass(frozen=True, eq=False)
class SummedVariable:
    """A discrete latent that is summed out.

    Attributes:
        name: Its name: the site's, or for a state along time one step earlier, that of `before`.
        values: Its values, shape `(number,) + event_shape`.
        plates: Names of its plates.
        colour: Which number of a run it takes its value from.
        state: For a state along time one step earlier, the site; else None.
    """

    name: str
    values: np.ndarray
    plates: tuple[str, ...]
    colour: int = 0
    state: str | None = None

    @property
    def number(self) -> int:
        """How many values it has."""
        return len(self.values)


@dataclass(frozen=True, eq=False)
class SummationPlan:
    """How discrete latents are summed out.

    Attributes:
        variables: The latents, in the order in which the network meets them.
        parents: By site, those of the latents that its parameters depend on; all sites that have any, and the latents.
        sizes: Number of values of each colour.
        foldable: Whether the runs can be folded into the rows of the batch.
        compact: Whether the network takes one value for all rows where a latent has one for each: then nothing needs to
            be repeated.
        whole: Those of the latents outside the data plate on which sites inside depend: their sum takes all rows at once.
    """

    variables: dict[str, SummedVariable]
    parents: dict[str, tuple[str, ...]]
    sizes: tuple[int, ...]
    foldable: bool
    compact: bool = False
    whole: tuple[str, ...] = ()

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the sites."""
        return tuple(name for name, variable in self.variables.items() if variable.state is None)

    @property
    def runs(self) -> np.ndarray:
        """The number of each colour's value in each run, shape (runs, colours)."""
        return np.array(list(np.ndindex(*self.sizes)), dtype="int32").reshape(math.prod(self.sizes), len(self.sizes))


class AssignValues(Handler):
    """Gives the discrete latents their values of one run.

    Args:
        variables: The latents, by name.
        number: `(site, variable) -> number of its value`: a scalar, or one number for each row.
        compact: Whether the data plate's axis has length 1.
    """

    def __init__(self, variables: Mapping[str, SummedVariable], number, compact: bool = False):
        super().__init__()
        self.variables, self.number, self.compact = variables, number, compact

    def on_sample(self, site: Site) -> None:
        self._give_value(site, site.name)

    def on_state_before(self, site: Site) -> None:
        self._give_value(site, before(site.name))

    def _give_value(self, site: Site, name: str) -> None:
        if site.value is None and name in self.variables:
            variable = self.variables[name]
            site.value = value_of(site, variable, self.number(site, variable), self.compact)


class _AssignPast(Handler):
    # Gives states along time their values one step earlier.
    def __init__(self, values: Mapping):
        super().__init__()
        self.values = values

    def on_state_before(self, site: Site) -> None:
        site.value = self.values.get(before(site.name))


def before(name: str) -> str:
    """Returns the name of the variable that stands for a state along time one step earlier."""
    return f"{name} before"


def value_of(site: Site, variable: SummedVariable, number, compact: bool = False):
    """Returns a site's value of a number, or of a number for each row, repeated over its plates."""
    values = keras.ops.cast(keras.ops.convert_to_tensor(variable.values), site.distribution.dtype)
    picked = keras.ops.take(values, keras.ops.minimum(number, variable.number - 1), axis=0)
    event = tuple(variable.values.shape[1:])
    sizes = tuple(1 if compact and plate.is_data else plate.size for plate in site.plates)
    given = len(picked.shape) - len(event)
    for _ in range(len(sizes) - given):
        picked = keras.ops.expand_dims(picked, given)
    return keras.ops.broadcast_to(picked, (*sizes, *event))


def enumerable(site: Site) -> bool:
    """Whether a latent can be summed out: discrete, with finitely many values that are known before running."""
    return (
        distributions.is_discrete(site.distribution) and distributions.enumerate_support(site.distribution) is not None
    )


def to_sum_out(generative: Trace, inference: Trace) -> list[Site]:
    """Returns the sites of p that are neither observed nor in q, and have finitely many values."""
    return [s for s in generative.random_sites(observed=False) if s.name not in inference and enumerable(s)]


def find_plan(networks, batch: dict, inference: Trace) -> SummationPlan | None:
    """Finds what is summed out and what depends on it.

    Args:
        networks: The networks.
        batch: A batch.
        inference: Trace of q on it.

    Returns:
        The plan, or None where nothing is to be summed out.

    Raises:
        SiteError: Too many latents meet in one site, or a site is outside the plates of those it depends on.
    """
    trace = networks.run_generative(batch, random.seed(2), inference)
    found = {s.name: s for s in to_sum_out(trace, inference)}
    if not found:
        return None
    variables = {name: _variable(site) for name, site in found.items()}
    for name, site in found.items():
        if any(plate.is_time for plate in site.plates):
            variables[before(name)] = dataclasses.replace(variables[name], name=before(name), state=name)
    parents = _parents(networks, batch, inference, trace, variables)
    used = {v for own in parents.values() for v in own}
    variables = {name: v for name, v in variables.items() if v.state is None or name in used}
    _check_plates(trace, variables, parents)
    colours = _colours(variables, parents)
    sizes = tuple(
        max(v.number for v in variables.values() if colours[v.name] == colour)
        for colour in range(1 + max(colours.values()))
    )
    if math.prod(sizes) > MOST_RUNS:
        raise SiteError(_too_many_runs(parents, sizes))
    variables = {name: dataclasses.replace(v, colour=colours[name]) for name, v in variables.items()}
    foldable = all(site.in_data_plate for site in found.values())
    inside = {p for site, own in parents.items() if trace[site].in_data_plate for p in own}
    whole = tuple(name for name, site in found.items() if name in inside and not site.in_data_plate)
    plan = SummationPlan(variables, parents, sizes, foldable, whole=whole)
    return dataclasses.replace(plan, compact=foldable and _is_compact(networks, plan, batch, inference))


def _is_compact(networks, plan: SummationPlan, batch: dict, inference: Trace) -> bool:
    # Tried out: a network that counts on the axis of the rows fails, or gives other numbers. One row would show nothing.
    if rows_of(batch) in (None, 1):
        return False
    varying = [name for name, found in plan.parents.items() if found]
    for numbers in (plan.runs[0], plan.runs[-1]):
        found = []
        for compact in (False, True):
            extra = AssignValues(plan.variables, lambda site, variable: int(numbers[variable.colour]), compact)  # noqa: B023
            try:
                with keras.StatelessScope():
                    trace = networks.run_generative(batch, random.seed(2), inference, extra=extra)
                sites = [trace[name] for name in varying if not trace[name].is_deterministic]
                found.append([to_numpy(log_factor(site, plan.variables)) for site in sites])
            except Exception:  # noqa: BLE001  (whatever the network does with such a value)
                return False
        for full, short in zip(*found, strict=True):
            if not _agree(full, short):
                return False
    return True


def _agree(full: np.ndarray, short: np.ndarray) -> bool:
    if full.ndim != short.ndim or any(b not in (1, a) for a, b in zip(full.shape, short.shape, strict=True)):
        return False
    return np.allclose(full, np.broadcast_to(short, full.shape), rtol=1e-4, atol=1e-4, equal_nan=True)


def _variable(site: Site) -> SummedVariable:
    support = to_numpy(distributions.enumerate_support(site.distribution))
    event = tuple(site.distribution.event_shape)
    return SummedVariable(site.name, support.reshape(len(support), *event), tuple(plate.name for plate in site.plates))


def _parents(networks, batch, inference, trace: Trace, variables) -> dict[str, tuple[str, ...]]:
    def run(values: dict) -> dict:
        with keras.StatelessScope():
            again = networks.run_generative(batch, random.seed(2), inference, given=values, extra=_AssignPast(values))
        found = {s.name: log_factor(s, variables) for s in again.weighed_sites()}
        return found | {s.name: s.value for s in again.sites.values() if s.is_deterministic}

    influences = find_influences(run, {n: trace[v.state or n].value for n, v in variables.items()})
    parents = {site: tuple(v for v in variables if v in found) for site, found in influences.items()}
    return {site: found for site, found in parents.items() if found or site in variables}


def _check_plates(trace: Trace, variables, parents) -> None:
    for name, found in parents.items():
        site = trace[name]
        if site.is_deterministic:
            continue
        own = [plate.name for plate in site.plates]
        for parent in found:
            lacking = [plate for plate in variables[parent].plates if plate not in own]
            if lacking:
                raise SiteError(
                    explain(
                        f"`{parent}` can't be summed out: `{name}` depends on it, and is outside of its plate "
                        f"`{lacking[0]}`, so that all values along the plate meet in one density.",
                        received=f"`{parent}` in {names(variables[parent].plates)}, `{name}` in {names(own)}",
                        expected=f"`{name}` in all plates of `{parent}`",
                        fix=f"declare `{name}` inside the plate, or `{parent}` in `inference`, where it is drawn instead",
                    )
                )


def _colours(variables, parents) -> dict[str, int]:
    colours: dict[str, int] = {}
    for name in variables:
        near = {other for found in parents.values() if name in found for other in found} - {name}
        taken = {colours[other] for other in near if other in colours}
        colours[name] = next(colour for colour in range(len(variables)) if colour not in taken)
    return colours


def _too_many_runs(parents, sizes) -> str:
    site, found = max(parents.items(), key=lambda item: len(item[1]))
    return explain(
        f"Too many discrete latents meet in `{site}` to be summed out.",
        received=f"`{site}` depends on {names(found)}: {math.prod(sizes):,} combinations of values",
        expected=f"at most {MOST_RUNS:,}",
        fix=f"declare `{found[0]}` in `inference`, where it is drawn instead",
    )
