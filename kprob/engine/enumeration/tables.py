"""Tables of log-weights: an axis for each summed-out variable, then one for each plate.

Axes of plates may have length 1, where a weight is the same for all of a plate: nothing is repeated before it must be.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import keras

from kprob.effects import Plate
from kprob.types import Tensor

ops = keras.ops


@dataclass(frozen=True, eq=False)
class Table:
    """A function of some variables in some plates, in log space.

    Attributes:
        log: Its logarithm, axes in the order of `variables` and then `plates`.
        variables: Names of the variables.
        plates: Names of the plates, outermost first.
        sources: Names of the sites whose densities are in it.
        summed: Names of the variables that were summed out of it.
    """

    log: Tensor
    variables: tuple[str, ...]
    plates: tuple[str, ...]
    sources: tuple[str, ...] = ()
    summed: tuple[str, ...] = ()


def aligned(table: Table, variables: Sequence[str], plates: Sequence[str]) -> Tensor:
    """Returns a table's numbers with the axes asked for, of length 1 where it has none.

    Args:
        table: The table.
        variables: Variables, all of the table's among them.
        plates: Plates, all of the table's among them.
    """
    own = [("variable", v) for v in table.variables] + [("plate", p) for p in table.plates]
    axes = [("variable", v) for v in variables] + [("plate", p) for p in plates]
    order = [own.index(axis) for axis in axes if axis in own]
    log = table.log if order == list(range(len(order))) else ops.transpose(table.log, order)
    for position, axis in enumerate(axes):
        if axis not in own:
            log = ops.expand_dims(log, position)
    return log


def product(tables: Sequence[Table], order: Mapping[str, Plate]) -> Table:
    """Returns the product of tables, with the axes of all of them.

    Args:
        tables: The factors, one or more.
        order: All plates, outermost first.
    """
    variables = tuple(dict.fromkeys(v for table in tables for v in table.variables))
    present = {p for table in tables for p in table.plates}
    plates = tuple(p for p in order if p in present)
    # Small ones first: what the large ones have in common is added once.
    sized = sorted(tables, key=lambda table: len(table.variables) + len(table.plates))
    log = aligned(sized[0], variables, plates)
    for table in sized[1:]:
        log = log + aligned(table, variables, plates)
    sources = tuple(dict.fromkeys(s for table in tables for s in table.sources))
    summed = tuple(dict.fromkeys(v for table in tables for v in table.summed))
    return Table(log, variables, plates, sources, summed)


def summed_out(table: Table, variable: str, reduce: Callable) -> Table:
    """Returns a table without a variable, which `reduce(log, axis)` sums, or maximises, away."""
    log = reduce(table.log, table.variables.index(variable))
    left = tuple(v for v in table.variables if v != variable)
    return Table(log, left, table.plates, table.sources, (*table.summed, variable))


def multiplied_out(table: Table, gone: Sequence[str], plates: Mapping[str, Plate]) -> Table:
    """Returns the product of a table over plates; rows of the data plate count by their weights and scale.

    Args:
        table: The table.
        gone: Plates to multiply over.
        plates: All plates.
    """
    log = spread(table, plates)
    first = len(table.variables)
    for name in gone:
        plate = plates[name]
        if plate.is_data:
            axis = first + table.plates.index(name)
            if plate.weights is not None:
                weights = ops.cast(plate.weights, log.dtype)
                log = log * ops.reshape(weights, (-1, *[1] * (len(log.shape) - axis - 1)))
            if not (isinstance(plate.scale, float) and plate.scale == 1.0):
                log = log * ops.cast(plate.scale, log.dtype)
    log = ops.sum(log, axis=tuple(first + table.plates.index(name) for name in gone))
    left = tuple(p for p in table.plates if p not in gone)
    return Table(log, table.variables, left, table.sources, table.summed)


def spread(table: Table, plates: Mapping[str, Plate]) -> Tensor:
    """Returns a table's numbers with every axis as long as its plate."""
    shape = tuple(ops.shape(table.log))[: len(table.variables)]
    return ops.broadcast_to(table.log, (*shape, *(plates[p].size for p in table.plates)))


def largest(log: Tensor, axis: int) -> Tensor:
    """Returns the maximum along an axis, for the most probable values."""
    return ops.max(log, axis=axis)
