"""Data of a query: named, sorted into rows and the rest, and possible under the model."""

from typing import Any

import numpy as np

from kprob.backend import random
from kprob.data import Data, batch_of
from kprob.effects import AnyPast, Trace
from kprob.engine.checking.data_support import check_fixed_support, check_support
from kprob.engine.networks import Networks
from kprob.engine.preparation import prepare_data

FIRST_ROWS = 1000


def prepare_queried_data(networks: Networks, x: Any = None) -> Data:
    """Returns data by name for a query, checked as the data of `fit` is.

    Args:
        networks: The model's networks.
        x: Data by name, or an array where only one reading is possible.

    Raises:
        DataError: A value of a site is outside its support.
    """
    data = prepare_data(networks, x)
    check_values(networks, {**data.rows, **data.whole})
    sites = {} if networks.structure is None else networks.structure.sites
    given = [name for name in (*data.rows, *data.whole) if name in sites and sites[name].is_random]
    if any(sites[name].is_bounded and sites[name].possible is None for name in given):
        _check_by_running(networks, data)
    return data


def check_values(networks: Networks, values: dict[str, np.ndarray]) -> None:
    """Checks values of sites whose supports are the same whatever their parameters are.

    Args:
        networks: The model's networks, whose structure is known.
        values: Arrays by name; only those of random variables are checked.

    Raises:
        DataError: A value is outside the support of its site.
    """
    sites = {} if networks.structure is None else networks.structure.sites
    for name, value in values.items():
        if name in sites and sites[name].is_random:
            check_fixed_support(sites[name], np.asarray(value))


def _check_by_running(networks: Networks, data: Data) -> None:
    # Supports that parameters move are known in a run alone. The same data, asked about again, is checked once.
    required = [name for name, required in networks.generative_arguments.items() if required]
    fingerprint = data.fingerprint()
    known = fingerprint is not None and fingerprint == networks.checked_given
    if known or any(name not in data.rows and name not in data.whole for name in required):
        return

    def run(rows: Any, seed: int) -> Trace:
        part = data if rows is None else data.take(rows)
        return networks.run_generative(batch_of(part, with_index=False), random.seed(seed))

    number = min(FIRST_ROWS, data.num_rows or 0)
    with AnyPast():
        check_support(run(None if data.num_rows is None else slice(0, number), 2), run, data, number)
    networks.checked_given = fingerprint
