"""Running networks on the first rows of the data, where only what the networks do is of interest."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from kprob.data.batch import Data
from kprob.effects import Site
from kprob.numerics import to_numpy

FIRST_ROWS = 3  # an odd number: a network that takes rows in pairs goes through with any even one
Result = TypeVar("Result")


def on_first_rows(run: Callable[[Data], Result], data: Data) -> tuple[Result, Data]:
    """Runs something on the first rows of the data, or on all where it doesn't go through on these.

    Args:
        run: What to run.
        data: The data.

    Returns:
        What it returned, and the data that it ran on.
    """
    few = data if data.num_rows is None else data.take(slice(0, FIRST_ROWS))
    try:
        return run(few), few
    except Exception:
        # A network may count on more rows than these few.
        if few.num_rows == data.num_rows:
            raise
        return run(data), data


def with_site_values(data: Data, arguments: Iterable[str], sites: Mapping[str, Site]) -> Data:
    """Returns data with the values that sites had in a run, where a network takes them and the data lacks them.

    Args:
        data: The data of the run.
        arguments: What the network takes.
        sites: Sites of the run.
    """
    rows, whole = dict(data.rows), dict(data.whole)
    for name in arguments:
        if name in sites and name not in rows and name not in whole:
            site = sites[name]
            (rows if site.in_data_plate else whole)[name] = to_numpy(site.value)
    number = len(next(iter(rows.values()))) if rows else data.num_rows
    return Data(rows, whole, number)
