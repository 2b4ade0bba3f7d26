"""Sums over all paths of a discrete state along time.

A path's weight is a product of matrices, one for each time: from the state before to the state. Matrices are multiplied
in pairs, then pairs of pairs, so that the work is linear in the length, and there are only as many operations one after
the other as the length has digits in base two. Backwards, the pairs are taken apart again: given the states at both ends,
the state in the middle has a distribution that doesn't depend on any other, so that whole paths are drawn, or the most
probable one found, in as few operations. (Särkkä and García-Fernández 2021, "Temporal parallelization of Bayesian
smoothers".)
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import keras

from kprob.effects import Plate
from kprob.engine.enumeration.summed_variable import SummedVariable
from kprob.engine.enumeration.tables import Table, aligned
from kprob.errors import SiteError, explain, names
from kprob.types import Tensor

ops = keras.ops

# Steps times the cube of the number of states: what the first level of products takes.
MOST_PRODUCTS = 2**28


@dataclass(frozen=True, eq=False)
class StateChain:
    """States along time that are summed out together.

    Attributes:
        states: Their variables.
        past: The variables that stand for them one step earlier, in the same order.
        table: Product of all tables that had them.
        time: Name of the plate of time.
        reduce: How values are summed, or maximised, away.
    """

    states: tuple[str, ...]
    past: tuple[str, ...]
    table: Table
    time: str
    reduce: Callable


def summed_over_paths(chain: StateChain, variables: Mapping[str, SummedVariable], plates: Mapping[str, Plate]) -> Table:
    """Returns a table without the states and without time."""
    table = chain.table
    others = tuple(v for v in table.variables if v not in (*chain.states, *chain.past))
    rest = tuple(p for p in table.plates if p != chain.time)
    matrices = _matrices(chain, aligned(table, (*others, *chain.past, *chain.states), table.plates), variables, plates)
    paths = _levels(matrices, chain.reduce)[-1][0]
    log = chain.reduce(paths[..., 0, :], -1)
    return Table(log, others, rest, table.sources, (*table.summed, *chain.states))


def decoded(
    chain: StateChain,
    log: Tensor,
    variables: Mapping[str, SummedVariable],
    plates: Mapping[str, Plate],
    choose: Callable,
) -> dict[str, Tensor]:
    """Returns the number of each state's value at all times, and of those before them.

    Args:
        chain: The states.
        log: The table, with the variables that were chosen before taken out: axes of `past`, `states` and plates.
        variables: All variables.
        plates: All plates.
        choose: Chooses numbers by log-weights along the first axis.
    """
    levels = _levels(_matrices(chain, log, variables, plates), chain.reduce)
    last = choose(ops.moveaxis(levels[-1][0][..., 0, :], -1, 0))[None]
    first = ops.zeros_like(last)
    for matrices in levels[-2::-1]:
        one, two = _pairs(matrices)
        middle = _row(one, first) + _row(ops.swapaxes(two, -1, -2), last)
        middle = ops.cast(choose(ops.moveaxis(middle, -1, 0)), last.dtype)
        first, last = _interleaved(first, middle), _interleaved(middle, last)
    steps = plates[chain.time].size
    axis = chain.table.plates.index(chain.time)
    joint, numbers = last[:steps], {}
    for state, past in zip(reversed(chain.states), reversed(chain.past), strict=True):
        own = joint % variables[state].number
        joint = joint // variables[state].number
        numbers[state] = ops.moveaxis(own, 0, axis)
        numbers[past] = ops.moveaxis(ops.concatenate([ops.zeros_like(own[:1]), own[:-1]], axis=0), 0, axis)
    return numbers


def _matrices(
    chain: StateChain, log: Tensor, variables: Mapping[str, SummedVariable], plates: Mapping[str, Plate]
) -> Tensor:
    # From axes (others, past, states, plates) to (time, others, other plates, joint before, joint state).
    count = len(chain.states)
    size = math.prod(variables[state].number for state in chain.states)
    steps = plates[chain.time].size
    if steps * size**3 > MOST_PRODUCTS:
        raise SiteError(_too_large(chain, steps, size))
    ndims, plate_ndims = len(log.shape), len(chain.table.plates)
    time = ndims - plate_ndims + chain.table.plates.index(chain.time)
    lead = ndims - plate_ndims - 2 * count
    rest = [axis for axis in range(ndims - plate_ndims, ndims) if axis != time]
    log = ops.transpose(log, (time, *range(lead), *rest, *range(lead, lead + 2 * count)))
    shape = (steps, *tuple(ops.shape(log))[1 : 1 + lead + len(rest)])
    log = ops.reshape(log, (*tuple(ops.shape(log))[: 1 + lead + len(rest)], size, size))
    log = ops.broadcast_to(log, (*shape, size, size))
    # Nothing is before the first step: what its parameters depend on is the same whatever the state before.
    here = ops.reshape(ops.arange(steps) > 0, (steps, *[1] * (len(shape) + 1)))
    possible = ops.logical_or(here, ops.reshape(ops.arange(size) == 0, (size, 1)))
    log = ops.where(possible, log, ops.full_like(log, -float("inf")))
    padding = 2 ** math.ceil(math.log2(steps)) - steps
    if padding:
        stay = ops.where(ops.eye(size, dtype="bool"), 0.0, -float("inf"))
        stay = ops.broadcast_to(ops.cast(stay, log.dtype), (padding, *shape[1:], size, size))
        log = ops.concatenate([log, stay], axis=0)
    return log


def _levels(matrices: Tensor, reduce: Callable) -> list[Tensor]:
    levels = [matrices]
    while levels[-1].shape[0] > 1:
        one, two = _pairs(levels[-1])
        levels.append(reduce(one[..., None] + two[..., None, :, :], -2))
    return levels


def _pairs(matrices: Tensor) -> tuple[Tensor, Tensor]:
    shape = tuple(ops.shape(matrices))
    pairs = ops.reshape(matrices, (shape[0] // 2, 2, *shape[1:]))
    return pairs[:, 0], pairs[:, 1]


def _row(matrices: Tensor, number: Tensor) -> Tensor:
    there = ops.cast(number, "int32")[..., None] == ops.arange(matrices.shape[-2], dtype="int32")
    return ops.max(ops.where(there[..., None], matrices, ops.full_like(matrices, -float("inf"))), axis=-2)


def _interleaved(one: Tensor, two: Tensor) -> Tensor:
    both = ops.stack([one, two], axis=1)
    shape = tuple(ops.shape(both))
    return ops.reshape(both, (2 * shape[0], *shape[2:]))


def check_tractable(chain: StateChain, variables: Mapping[str, SummedVariable]) -> None:
    """Raises where another variable of the table varies along time too."""
    others = [v for v in chain.table.variables if v not in (*chain.states, *chain.past)]
    coupled = [v for v in others if chain.time in variables[v].plates]
    if coupled:
        raise SiteError(
            explain(
                f"{names(chain.states)} can't be summed out along time: {names(coupled)} varies along time as well, in "
                "other plates.",
                received=f"{names(chain.states)} in {names(variables[chain.states[0]].plates)}, `{coupled[0]}` in "
                f"{names(variables[coupled[0]].plates)}",
                expected="discrete states of a `scan` that depend on each other in the same plates",
                fix=f"declare `{coupled[0]}` in `inference`",
            )
        )


def _too_large(chain: StateChain, steps: int, size: int) -> str:
    return explain(
        f"{names(chain.states)} has too many values to be summed out along time.",
        received=f"{size} states and {steps:,} steps",
        expected=f"steps times the cube of the number of states to be at most {MOST_PRODUCTS:,}",
        fix="use layers.HiddenMarkovModel, whose work grows with the square of the number of states",
    )
