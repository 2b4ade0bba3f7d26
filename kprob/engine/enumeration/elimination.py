"""The sum-product algorithm with plates: sums over all values of all variables, one variable after the other.

Tables are taken by their plates, the deepest first. There the variables of just these plates are summed out, each from the
product of the tables that have it; what is left depends on variables of fewer plates only, and is multiplied over the
plates that none of them has. States along time come last among the variables of their plates, all times together.
(Obermeyer, Bingham, Jankowiak, Chiu, Pradhan, Rush and Goodman 2019, "Tensor variable elimination for plated factor
graphs".)
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from kprob.effects import Plate
from kprob.engine.enumeration.chain import StateChain, check_tractable, summed_over_paths
from kprob.engine.enumeration.tables import Table, multiplied_out, product, summed_out
from kprob.errors import SiteError, explain, names
from kprob.numerics import log_sum_exp

# One table of more numbers than this, plates apart, is no sum that anybody waits for.
MOST_NUMBERS = 2**24


@dataclass(frozen=True)
class EliminationStep:
    """One variable's elimination.

    Attributes:
        variable: The variable.
        table: Product of all tables that had it; its other variables are eliminated later.
    """

    variable: str
    table: Table


@dataclass
class Elimination:
    """What an elimination leaves.

    Attributes:
        results: Tables without variables; each has the plates that nothing had to be multiplied over.
        steps: How the variables went, in order.
    """

    results: list[Table] = field(default_factory=list)
    steps: list[EliminationStep | StateChain] = field(default_factory=list)


def eliminate(
    tables: Sequence[Table],
    numbers: Mapping[str, int],
    homes: Mapping[str, tuple[str, ...]],
    plates: Mapping[str, Plate],
    reduce: Callable = log_sum_exp,
    before: Mapping[str, str] | None = None,
) -> Elimination:
    """Eliminates all variables.

    Args:
        tables: The factors.
        numbers: Number of values of each variable.
        homes: Plates of each variable.
        plates: All plates, outermost first.
        reduce: `(log, axis)`: `log_sum_exp` for sums, `largest` for the most probable values.
        before: By state along time, the variable that stands for it one step earlier.

    Raises:
        SiteError: Variables of different plates meet in one factor, so that no order of elimination is small.
    """
    done, pending, before = Elimination(), list(tables), before or {}
    while pending:
        deepest = max((frozenset(table.plates) for table in pending), key=len)
        here = [table for table in pending if frozenset(table.plates) == deepest]
        pending = [table for table in pending if frozenset(table.plates) != deepest]
        local = [v for v in numbers if frozenset(homes[v]) == deepest]
        for group in _connected(here, local, before):
            own = [v for v in local if _has(group, v)]
            moving = {state: past for state, past in before.items() if state in own}
            fixed = [v for v in own if v not in {*moving, *moving.values()}]
            left = _eliminate_group(group, fixed, numbers, plates, reduce, done)
            if moving:
                left = _eliminate_chain(left, moving, numbers, homes, plates, reduce, done)
            if not left.variables:
                done.results.append(left)
                continue
            kept = {p for v in left.variables for p in homes[v]}
            if kept >= deepest:
                raise SiteError(_intractable(left, homes))
            gone = [p for p in left.plates if p not in kept]
            pending.append(multiplied_out(left, gone, plates) if gone else left)
    return done


def _eliminate_group(tables, local, numbers, plates, reduce, done: Elimination) -> Table:
    tables, local = list(tables), list(local)
    while local:
        variable = min(local, key=lambda v: _cost(tables, v, numbers))
        if _cost(tables, variable, numbers) * numbers[variable] > MOST_NUMBERS:
            raise SiteError(_too_large(tables, variable))
        local.remove(variable)
        table = product([t for t in tables if variable in t.variables], plates)
        tables = [t for t in tables if variable not in t.variables]
        done.steps.append(EliminationStep(variable, table))
        tables.append(summed_out(table, variable, reduce))
    return product(tables, plates)


def _eliminate_chain(table: Table, moving, numbers, homes, plates, reduce, done: Elimination) -> Table:
    time = next(name for name in table.plates if plates[name].is_time)
    chain = StateChain(tuple(moving), tuple(moving.values()), table, time, reduce)
    check_tractable(chain, homes)
    done.steps.append(chain)
    return summed_over_paths(chain, numbers, plates)


def _cost(tables, variable: str, numbers) -> int:
    # Size of the table that is left.
    others = {v for t in tables if variable in t.variables for v in t.variables} - {variable}
    return math.prod(numbers[v] for v in others)


def _has(tables, variable: str) -> bool:
    return any(variable in table.variables for table in tables)


def _connected(tables: Sequence[Table], variables: Sequence[str], before: Mapping[str, str]) -> list[list[Table]]:
    # Groups of tables that share variables, directly or through others; a state and its past are one.
    same = {past: state for state, past in before.items()}
    groups: list[tuple[set[str], list[Table]]] = []
    for table in tables:
        own = {same.get(v, v) for v in table.variables if v in variables}
        joined = [group for group in groups if group[0] & own]
        groups = [group for group in groups if not group[0] & own]
        found = own.union(*(group[0] for group in joined)), [t for group in joined for t in group[1]] + [table]
        groups.append(found)
    return [group for _, group in groups]


def _intractable(table: Table, homes) -> str:
    where = ", ".join(f"`{v}` in {names(homes[v]) if homes[v] else 'no plate'}" for v in table.variables)
    return explain(
        f"{names(table.variables)} can't be summed out: they are in different plates and meet in one density.",
        received=f"{where}; together in {names(table.sources[:4])}, in plates {names(table.plates)}",
        expected="plates inside each other: every site in all plates of the discrete latents that it depends on, and "
        "one of these latents in all plates of the others",
        fix=f"declare one of them in `inference`, such as a site `{table.variables[0]}`",
    )


def _too_large(tables, variable: str) -> str:
    others = sorted({v for t in tables if variable in t.variables for v in t.variables})
    return explain(
        f"`{variable}` can't be summed out: too many discrete latents meet in one density.",
        received=f"a table of all values of {names(others)}",
        expected=f"no more than {MOST_NUMBERS:,} numbers in a table",
        fix=f"declare `{variable}` in `inference`, where it is drawn instead",
    )
