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
from kprob.engine.enumeration.state_chain import StateChain, check_tractable, summed_over_paths
from kprob.engine.enumeration.summed_variable import SummedVariable, past_of
from kprob.engine.enumeration.tables import Table, multiplied_out, product, summed_out
from kprob.errors import SiteError, explain, names
from kprob.numerics import log_sum_exp

# One table of more numbers than this, plates apart, is no sum that anybody waits for.
MOST_NUMBERS = 2**24

Variables = Mapping[str, SummedVariable]
Plates = Mapping[str, Plate]


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
        steps: The variables' eliminations, in order.
    """

    results: list[Table] = field(default_factory=list)
    steps: list[EliminationStep | StateChain] = field(default_factory=list)


def eliminate(
    tables: Sequence[Table], variables: Variables, plates: Plates, reduce: Callable = log_sum_exp
) -> Elimination:
    """Eliminates all variables.

    Args:
        tables: The factors.
        variables: The variables, by name.
        plates: All plates, outermost first.
        reduce: `(log, axis)`: `log_sum_exp` for sums, `largest` for the most probable values.

    Raises:
        SiteError: Variables of different plates meet in one factor, so that no order of elimination is small.
    """
    done, pending, past = Elimination(), list(tables), past_of(variables)
    while pending:
        deepest = max((frozenset(table.plates) for table in pending), key=len)
        here = [table for table in pending if frozenset(table.plates) == deepest]
        pending = [table for table in pending if frozenset(table.plates) != deepest]
        local = [name for name, variable in variables.items() if frozenset(variable.plates) == deepest]
        for group in _connected(here, local, past):
            left = _eliminate_group(group, local, variables, plates, reduce, done)
            if not left.variables:
                done.results.append(left)
                continue
            kept = {plate for name in left.variables for plate in variables[name].plates}
            if kept >= deepest:
                raise SiteError(_intractable(left, variables))
            gone = [plate for plate in left.plates if plate not in kept]
            pending.append(multiplied_out(left, gone, plates) if gone else left)
    return done


def _eliminate_group(
    group: list[Table], local: list[str], variables: Variables, plates: Plates, reduce: Callable, done: Elimination
) -> Table:
    # First what stands still, then states along time.
    own = [name for name in local if any(name in table.variables for table in group)]
    moving = {state: past for state, past in past_of(variables).items() if state in own}
    still = [name for name in own if name not in {*moving, *moving.values()}]
    table = _eliminate_still(group, still, variables, plates, reduce, done)
    if not moving:
        return table
    time = next(name for name in table.plates if plates[name].is_time)
    chain = StateChain(tuple(moving), tuple(moving.values()), table, time, reduce)
    check_tractable(chain, variables)
    done.steps.append(chain)
    return summed_over_paths(chain, variables, plates)


def _eliminate_still(
    tables: list[Table], still: list[str], variables: Variables, plates: Plates, reduce: Callable, done: Elimination
) -> Table:
    while still:
        variable = min(still, key=lambda name: _cost(tables, name, variables))
        if _cost(tables, variable, variables) * variables[variable].number > MOST_NUMBERS:
            raise SiteError(_too_large(tables, variable))
        still = [name for name in still if name != variable]
        table = product([t for t in tables if variable in t.variables], plates)
        tables = [t for t in tables if variable not in t.variables]
        done.steps.append(EliminationStep(variable, table))
        tables.append(summed_out(table, variable, reduce))
    return product(tables, plates)


def _cost(tables: list[Table], variable: str, variables: Variables) -> int:
    # Size of the table that is left.
    others = {v for t in tables if variable in t.variables for v in t.variables} - {variable}
    return math.prod(variables[v].number for v in others)


def _connected(tables: Sequence[Table], variables: Sequence[str], past: Mapping[str, str]) -> list[list[Table]]:
    # Groups of tables that share variables, directly or through others; a state and its past are one.
    same = {own_past: state for state, own_past in past.items()}
    groups: list[tuple[set[str], list[Table]]] = []
    for table in tables:
        own = {same.get(v, v) for v in table.variables if v in variables}
        joined = [group for group in groups if group[0] & own]
        groups = [group for group in groups if not group[0] & own]
        groups.append((own.union(*(group[0] for group in joined)), [t for group in joined for t in group[1]] + [table]))
    return [group for _, group in groups]


def _intractable(table: Table, variables: Variables) -> str:
    plates = {name: variables[name].plates for name in table.variables}
    where = ", ".join(f"`{name}` in {names(own) if own else 'no plate'}" for name, own in plates.items())
    return explain(
        f"{names(table.variables)} can't be summed out: they are in different plates and meet in one density.",
        received=f"{where}; together in {names(table.sources[:4])}, in plates {names(table.plates)}",
        expected="plates inside each other: every site in all plates of the discrete latents that it depends on, and "
        "one of these latents in all plates of the others",
        fix=f"declare one of them in `inference`, such as a site `{table.variables[0]}`",
    )


def _too_large(tables: list[Table], variable: str) -> str:
    others = sorted({v for t in tables if variable in t.variables for v in t.variables})
    return explain(
        f"`{variable}` can't be summed out: too many discrete latents meet in one density.",
        received=f"a table of all values of {names(others)}",
        expected=f"no more than {MOST_NUMBERS:,} numbers in a table",
        fix=f"declare `{variable}` in `inference`, where it is drawn instead",
    )
