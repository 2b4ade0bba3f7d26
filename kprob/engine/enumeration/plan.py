"""What is summed out of a generative network, and in which runs: decided once, when the model is built.

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
from kprob.effects import Site, Trace
from kprob.engine.enumeration.assignment import AssignPast
from kprob.engine.enumeration.generative_network import GenerativeNetwork
from kprob.engine.enumeration.log_factor import log_factor
from kprob.engine.enumeration.repetition import Repetition
from kprob.engine.enumeration.summed_variable import SummedVariable, past_name, site_names, to_sum_out
from kprob.engine.probing.coupling import axis_of, looks_across, plates_of
from kprob.errors import SiteError, explain, names
from kprob.numerics import to_numpy

MOST_RUNS = 4096

Variables = Mapping[str, SummedVariable]
Parents = Mapping[str, tuple[str, ...]]  # by site, the variables that it depends on


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
        return site_names(self.variables)

    @property
    def runs(self) -> np.ndarray:
        """The number of each colour's value in each run, shape (runs, colours)."""
        return np.array(list(np.ndindex(*self.sizes)), dtype="int32").reshape(math.prod(self.sizes), len(self.sizes))


def find_plan(networks: GenerativeNetwork, batch: dict, inference: Trace) -> SummationPlan | None:
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
    summed_sites = to_sum_out(trace, inference)
    if not summed_sites:
        return None
    variables = _variables(summed_sites)
    parents = _parents(networks, batch, inference, trace, variables)
    used = {v for own in parents.values() for v in own}
    variables = {name: v for name, v in variables.items() if v.state is None or name in used}
    _check_plates(trace, variables, parents)
    _check_independence(networks, batch, inference, trace, variables)
    colours = _colours(variables, parents)
    sizes = tuple(
        max(v.number for v in variables.values() if colours[v.name] == colour)
        for colour in range(1 + max(colours.values()))
    )
    if math.prod(sizes) > MOST_RUNS:
        raise SiteError(_too_many_runs(parents, sizes))
    variables = {name: dataclasses.replace(v, colour=colours[name]) for name, v in variables.items()}
    foldable = all(site.in_data_plate for site in summed_sites)
    inside = {p for site, own in parents.items() if trace[site].in_data_plate for p in own}
    whole = tuple(site.name for site in summed_sites if site.name in inside and not site.in_data_plate)
    plan = SummationPlan(variables, dict(parents), sizes, foldable, whole=whole)
    if not foldable:
        return plan
    varying = [name for name, own in parents.items() if own]
    trial = Repetition(networks, variables, varying, plan.runs, batch, inference)
    compact = trial.is_compact()
    return dataclasses.replace(plan, compact=compact, foldable=compact or trial.is_foldable())


def _check_independence(
    networks: GenerativeNetwork, batch: dict, inference: Trace, trace: Trace, variables: Variables
) -> None:
    # All places of a plate are summed over at once: none may look at the value of another.
    own = {name: v for name, v in variables.items() if v.state is None}
    shapes = {name: (*to_numpy(trace[name].value).shape[: len(v.plates)],) for name, v in own.items()}

    def filled(which: int) -> dict[str, np.ndarray]:
        return {n: np.broadcast_to(v.values[which], (*shapes[n], *v.values.shape[1:])) for n, v in own.items()}

    def run(values: Mapping) -> dict[str, Site]:
        given = {
            n: keras.ops.cast(keras.ops.convert_to_tensor(v), trace[n].distribution.dtype) for n, v in values.items()
        }
        with keras.StatelessScope():
            again = networks.run_generative(batch, random.seed(2), inference, given=given)
        return {site.name: site for site in again.weighed_sites()}

    for plate, sites in plates_of([trace[name] for name in own]).items():
        axes = {site.name: axis for site in sites if (axis := axis_of(site, plate)) is not None}
        found = looks_across(run, plate, filled(0), filled(-1), axes)
        if found is not None:
            raise SiteError(_looks_across(found, plate, list(axes)))


def _variables(sites: list[Site]) -> dict[str, SummedVariable]:
    # Of sites, and behind them of states along time one step earlier.
    variables = {}
    for site in sites:
        support = to_numpy(distributions.enumerate_support(site.distribution))
        values = support.reshape(len(support), *site.distribution.event_shape)
        variables[site.name] = SummedVariable(site.name, values, tuple(plate.name for plate in site.plates))
    for site in sites:
        if any(plate.is_time for plate in site.plates):
            past = past_name(site.name)
            variables[past] = dataclasses.replace(variables[site.name], name=past, state=site.name)
    return variables


def _parents(networks: GenerativeNetwork, batch: dict, inference: Trace, trace: Trace, variables: Variables) -> Parents:
    def run(values: dict) -> dict:
        with keras.StatelessScope():
            again = networks.run_generative(batch, random.seed(2), inference, given=values, extra=AssignPast(values))
        outputs = {s.name: log_factor(s, variables) for s in again.weighed_sites()}
        return outputs | {s.name: s.value for s in again.sites.values() if s.is_deterministic}

    influences = find_influences(run, {n: trace[v.state or n].value for n, v in variables.items()})
    parents = {site: tuple(v for v in variables if v in sources) for site, sources in influences.items()}
    return {site: own for site, own in parents.items() if own or site in variables}


def _check_plates(trace: Trace, variables: Variables, parents: Parents) -> None:
    for name, own_parents in parents.items():
        site = trace[name]
        if site.is_deterministic:
            continue
        own = [plate.name for plate in site.plates]
        for parent in own_parents:
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


def _colours(variables: Variables, parents: Parents) -> dict[str, int]:
    colours: dict[str, int] = {}
    for name in variables:
        near = {other for own in parents.values() if name in own for other in own} - {name}
        taken = {colours[other] for other in near if other in colours}
        colours[name] = next(colour for colour in range(len(variables)) if colour not in taken)
    return colours


def _too_many_runs(parents: Parents, sizes: tuple[int, ...]) -> str:
    site, own_parents = max(parents.items(), key=lambda item: len(item[1]))
    return explain(
        f"Too many discrete latents meet in `{site}` to be summed out.",
        received=f"`{site}` depends on {names(own_parents)}: {math.prod(sizes):,} combinations of values",
        expected=f"at most {MOST_RUNS:,}",
        fix=f"declare `{own_parents[0]}` in `inference`, where it is drawn instead",
    )


def _looks_across(site: str, plate: str, variables: list[str]) -> str:
    return explain(
        f"{names(variables)} can't be summed out: `{site}` at one place of plate `{plate}` depends on the values at others.",
        received=f"a network that looks across plate `{plate}`: a mean, a sum, a shift, an order or a fixed place of it",
        expected="places of a plate that are independent of each other given the rest",
        fix=f"use values of the same place alone, or declare `{variables[0]}` in `inference`, where it is drawn instead",
    )
