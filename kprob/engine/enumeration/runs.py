"""The runs of a network that fill the tables: folded into the rows of the batch, one by one, or in a loop.

A latent of a plate takes the same value in all of the plate in a run: elements of a plate are independent given the rest.
"""

import math
from dataclasses import dataclass

import keras

from kprob.backend import float_type, map_draws, vectorized_map
from kprob.data.batch import repeat_rows
from kprob.effects import Plate, Site, Trace
from kprob.engine.enumeration.factors import log_factor
from kprob.engine.enumeration.plan import AssignValues, SummationPlan, SummedVariable
from kprob.engine.enumeration.tables import Table

ops = keras.ops

UNROLLED_RUNS = 16


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
    def sites(self) -> list[str]:
        """Names of the sites that are summed out."""
        return [name for name, variable in self.variables.items() if variable.state is None]

    @property
    def before(self) -> dict[str, str]:
        """By state along time, the variable that stands for it one step earlier."""
        return {v.state: name for name, v in self.variables.items() if v.state is not None}


def find_factors(
    networks, plan: SummationPlan, batch: dict, seed, inference: Trace, num_draws: int | None, size=None
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

    def run(numbers, compact: bool = False) -> Trace:
        extra = AssignValues(plan.variables, lambda site, variable: numbers[variable.colour], compact)
        return networks.run_generative(batch, seed, inference, num_draws, size, extra=extra)

    first = run([0] * len(plan.sizes))
    variables = {name: v for name, v in plan.variables.items() if not first[v.state or name].observed}
    names = {site.name for site in first.weighed_sites() if _is_factor(site, plan, inference)}
    parents = {n: tuple(p for p in plan.parents[n] if p in variables) for n in plan.parents if n in names}
    parents = {name: found for name, found in parents.items() if found or name in variables}
    varying = [name for name, found in parents.items() if found]
    logs = {name: log_factor(first[name], variables) for name in parents if name not in varying}
    if not varying:
        repeated = {}
    elif plan.compact and batch.get("rows"):
        repeated = vectorized_map(
            lambda numbers: _logs(run(ops.unstack(numbers), compact=True), varying, variables),
            ops.convert_to_tensor(plan.runs),
            networks.variables(),
        )
    elif plan.foldable and batch.get("rows"):
        repeated = _folded(networks, plan, batch, seed, inference, num_draws, variables, varying, first)
    elif len(plan.runs) <= UNROLLED_RUNS:
        each = [_logs(run([int(i) for i in numbers]), varying, variables) for numbers in plan.runs]
        repeated = {name: ops.stack([logs[name] for logs in each]) for name in varying}
    else:
        numbers = ops.convert_to_tensor(plan.runs)
        repeated = map_draws(
            lambda numbers: _logs(run(ops.unstack(numbers)), varying, variables), numbers, networks.variables()
        )
    logs |= {name: _by_parent(plan, log, [variables[p] for p in parents[name]]) for name, log in repeated.items()}
    plates = dict(sorted(first.plates.items(), key=lambda item: not item[1].is_data))
    if len({keras.backend.standardize_dtype(log.dtype) for log in logs.values()}) > 1:
        # NumPy's numbers are of double precision, and a distribution keeps them so.
        logs = {name: ops.cast(log, float_type()) for name, log in logs.items()}
    tables = [_table(first[name], log, parents[name], variables, plates) for name, log in logs.items()]
    return Factors(first, tables, variables, plates)


def _is_factor(site: Site, plan: SummationPlan, inference: Trace) -> bool:
    # What nobody gave a value is drawn, and integrates to one.
    return site.observed or site.is_factor or site.name in inference or site.name in plan.variables


def _logs(trace: Trace, names, variables) -> dict:
    return {name: log_factor(trace[name], variables) for name in names}


def _folded(networks, plan, batch, seed, inference, num_draws, variables, names, first) -> dict:
    # All runs are one, with each row once for each: the runs outermost.
    runs = plan.runs
    number = len(runs)
    rows = first.data_plate.size

    def numbers(site: Site, variable: SummedVariable):
        column = ops.convert_to_tensor(runs[:, variable.colour])
        return ops.reshape(ops.broadcast_to(column[:, None], (number, rows)), (-1,))

    given = {}
    for site in inference.random_sites():
        repeats = (number, *[1] * (len(site.value.shape) - 1))
        given[site.name] = ops.tile(site.value, repeats) if site.in_data_plate else site.value
    trace = networks.run_generative(
        repeat_rows(batch, number),
        seed,
        num_draws=number * (num_draws or 1),
        given=given,
        extra=AssignValues(plan.variables, numbers),
    )
    found = {}
    for name in names:
        log, axis = log_factor(trace[name], variables), int(name in variables)
        shape = tuple(ops.shape(log))
        if log.shape[axis] == 1:
            shape = (*shape[:axis], number * rows, *shape[axis + 1 :])
            log = ops.broadcast_to(log, shape)
        log = ops.reshape(log, (*shape[:axis], number, rows, *shape[axis + 1 :]))
        found[name] = ops.moveaxis(log, axis, 0)
    return found


def _by_parent(plan: SummationPlan, log, parents: list[SummedVariable]):
    # From an axis of runs to an axis for each parent; the colours that don't matter are at their first value.
    log = ops.reshape(log, (*plan.sizes, *tuple(ops.shape(log))[1:]))
    kept = {parent.colour: parent.number for parent in parents}
    index = tuple(slice(kept[c]) if c in kept else 0 for c in range(len(plan.sizes)))
    log = log[index]
    colours = sorted(kept)
    order = [colours.index(parent.colour) for parent in parents]
    rest = range(len(order), len(log.shape))
    return log if order == sorted(order) else ops.transpose(log, (*order, *rest))


def _table(site: Site, log, parents, variables, plates) -> Table:
    axes = (*parents, site.name) if site.name in variables else tuple(parents)
    own = [plate.name for plate in site.plates]
    for _ in range(len(axes) + len(own) - len(log.shape)):
        log = ops.expand_dims(log, len(axes))
    canonical = tuple(name for name in plates if name in own)
    if list(canonical) != own:
        order = [len(axes) + own.index(name) for name in canonical]
        log = ops.transpose(log, (*range(len(axes)), *order))
    return Table(log, axes, canonical, (site.name,))


def num_runs(plan: SummationPlan) -> int:
    """Returns how many runs of the network a sum takes."""
    return math.prod(plan.sizes)
