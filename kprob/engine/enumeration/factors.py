"""The factors of a sum, by runs of the network: folded into the rows of the batch, one by one, or in a loop.

A latent of a plate takes the same value in all of the plate in a run: elements of a plate are independent given the rest.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from kprob.backend import float_type, map_draws, vectorized_map
from kprob.data.batch import repeat_rows
from kprob.effects import Plate, Site, Trace
from kprob.engine.enumeration.assignment import AssignValues
from kprob.engine.enumeration.generative_network import GenerativeNetwork
from kprob.engine.enumeration.log_factor import log_factor
from kprob.engine.enumeration.plan import SummationPlan
from kprob.engine.enumeration.repetition import tiled
from kprob.engine.enumeration.summed_variable import SummedVariable, past_of, site_names
from kprob.engine.enumeration.tables import Table
from kprob.types import Seed, Tensor

ops = keras.ops

UNROLLED_RUNS = 16

Logs = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class Factors:
    """The factors of a sum.

    Attributes:
        trace: One run, for all that doesn't depend on what is summed out.
        tables: The factors that do.
        variables: What is summed out; of the plan's latents those that the batch has no data for.
        plates: All plates, outermost first.
    """

    trace: Trace
    tables: list[Table]
    variables: dict[str, SummedVariable]
    plates: dict[str, Plate]

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the sites that are summed out."""
        return site_names(self.variables)

    @property
    def past(self) -> dict[str, str]:
        """By state along time, the variable that stands for it one step earlier."""
        return past_of(self.variables)


@dataclass(frozen=True, eq=False)
class _NetworkRuns:
    # What all runs of a sum have in common.
    networks: GenerativeNetwork
    plan: SummationPlan
    batch: dict
    seed: Seed
    inference: Trace
    num_draws: int | None
    size: Any

    def trace(self, numbers: Sequence, compact: bool = False) -> Trace:
        # With the values that the numbers of each colour say.
        extra = AssignValues(self.plan.variables, lambda site, variable: numbers[variable.colour], compact)
        return self.networks.run_generative(
            self.batch, self.seed, self.inference, self.num_draws, self.size, extra=extra
        )

    def logs(self, numbers: Sequence, sites: Iterable[str], variables: Mapping, compact: bool = False) -> Logs:
        trace = self.trace(numbers, compact)
        return {name: log_factor(trace[name], variables) for name in sites}


def find_factors(
    networks: GenerativeNetwork,
    plan: SummationPlan,
    batch: dict,
    seed: Seed,
    inference: Trace,
    num_draws: int | None,
    size: Any = None,
) -> Factors:
    """Runs p for the values of what is summed out.

    Args:
        networks: The networks.
        plan: What is summed out.
        batch: The data, its rows repeated already where the run stands for several draws.
        seed: A seed.
        inference: Trace of q.
        num_draws: Draws that the run stands for.
        size: Rows of the data plate where the batch has none.
    """
    runs = _NetworkRuns(networks, plan, batch, seed, inference, num_draws, size)
    first = runs.trace([0] * len(plan.sizes))
    variables = {name: v for name, v in plan.variables.items() if not first[v.state or name].observed}
    sites = {site.name for site in first.weighed_sites() if _is_factor(site, plan, inference)}
    parents = {name: tuple(p for p in own if p in variables) for name, own in plan.parents.items() if name in sites}
    parents = {name: own for name, own in parents.items() if own or name in variables}
    varying = [name for name, own in parents.items() if own]
    logs = {name: log_factor(first[name], variables) for name in parents if name not in varying}
    if varying:
        for name, log in _repeated(runs, first, varying, variables).items():
            logs[name] = _by_parent(plan, log, [variables[parent] for parent in parents[name]])
    plates = dict(sorted(first.plates.items(), key=lambda item: not item[1].is_data))
    if len({keras.backend.standardize_dtype(log.dtype) for log in logs.values()}) > 1:
        # NumPy's numbers are of double precision, and a distribution keeps them so.
        logs = {name: ops.cast(log, float_type()) for name, log in logs.items()}
    tables = [_table(first[name], log, parents[name], variables, plates) for name, log in logs.items()]
    return Factors(first, tables, variables, plates)


def num_runs(plan: SummationPlan) -> int:
    """Returns how many runs of the network a sum takes."""
    return math.prod(plan.sizes)


def _is_factor(site: Site, plan: SummationPlan, inference: Trace) -> bool:
    # A site without a value is drawn, and integrates to one.
    return site.observed or site.is_factor or site.name in inference or site.name in plan.variables


def _repeated(runs: _NetworkRuns, first: Trace, sites: list[str], variables: Mapping) -> Logs:
    # The sites' log-densities in all runs, which are along the first axis.
    plan, has_rows = runs.plan, bool(runs.batch.get("rows"))
    if plan.compact and has_rows:
        return vectorized_map(
            lambda numbers: runs.logs(ops.unstack(numbers), sites, variables, compact=True),
            ops.convert_to_tensor(plan.runs),
            runs.networks.variables(),
        )
    if plan.foldable and has_rows:
        return _folded(runs, first, sites, variables)
    if len(plan.runs) <= UNROLLED_RUNS:
        each = [runs.logs([int(i) for i in numbers], sites, variables) for numbers in plan.runs]
        return {name: ops.stack([logs[name] for logs in each]) for name in sites}
    return map_draws(
        lambda numbers: runs.logs(ops.unstack(numbers), sites, variables),
        ops.convert_to_tensor(plan.runs),
        runs.networks.variables(),
    )


def _folded(runs: _NetworkRuns, first: Trace, sites: list[str], variables: Mapping) -> Logs:
    # All runs are one, with each row once for each: the runs outermost.
    table = runs.plan.runs
    number = len(table)
    rows = next(plate.size for plate in first.plates.values() if plate.is_data)

    def numbers(site: Site, variable: SummedVariable) -> Tensor:
        column = ops.convert_to_tensor(table[:, variable.colour])
        return ops.reshape(ops.broadcast_to(column[:, None], (number, rows)), (-1,))

    values = {site.name: tiled(site, number) for site in runs.inference.random_sites()}
    trace = runs.networks.run_generative(
        repeat_rows(runs.batch, number),
        runs.seed,
        num_draws=number * (runs.num_draws or 1),
        given=values,
        extra=AssignValues(runs.plan.variables, numbers),
    )
    logs = {}
    for name in sites:
        log, axis = log_factor(trace[name], variables), int(name in variables)
        shape = tuple(ops.shape(log))
        if log.shape[axis] == 1:
            shape = (*shape[:axis], number * rows, *shape[axis + 1 :])
            log = ops.broadcast_to(log, shape)
        log = ops.reshape(log, (*shape[:axis], number, rows, *shape[axis + 1 :]))
        logs[name] = ops.moveaxis(log, axis, 0)
    return logs


def _by_parent(plan: SummationPlan, log: Tensor, parents: list[SummedVariable]) -> Tensor:
    # From an axis of runs to an axis for each parent; the colours that don't matter are at their first value.
    log = ops.reshape(log, (*plan.sizes, *tuple(ops.shape(log))[1:]))
    kept = {parent.colour: parent.number for parent in parents}
    index = tuple(slice(kept[c]) if c in kept else 0 for c in range(len(plan.sizes)))
    log = log[index]
    colours = sorted(kept)
    order = [colours.index(parent.colour) for parent in parents]
    rest = range(len(order), len(log.shape))
    return log if order == sorted(order) else ops.transpose(log, (*order, *rest))


def _table(
    site: Site, log: Tensor, parents: tuple[str, ...], variables: Mapping[str, SummedVariable], plates: Iterable[str]
) -> Table:
    axes = (*parents, site.name) if site.name in variables else parents
    own = [plate.name for plate in site.plates]
    for _ in range(len(axes) + len(own) - len(log.shape)):
        log = ops.expand_dims(log, len(axes))
    canonical = tuple(name for name in plates if name in own)
    if list(canonical) != own:
        order = [len(axes) + own.index(name) for name in canonical]
        log = ops.transpose(log, (*range(len(axes)), *order))
    return Table(log, axes, canonical, (site.name,))
