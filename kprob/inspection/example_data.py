"""Data on which a model's networks can run, however little is known of it."""

from collections.abc import Mapping

import numpy as np

from kprob.data import Data
from kprob.engine import FIRST_ROWS, Networks, find_structure, prepare_data


def example_data(networks: Networks, data: Mapping | None = None) -> Data:
    """Returns data on which both networks can run, however little is known.

    Args:
        networks: The model's networks.
        data: What the user gives, or nothing.

    Returns:
        The user's data; else ones in place of the covariates that the model was built on. Sites that an inference
        network takes aren't there: they can be drawn from the prior.
    """
    structure, spec = find_structure(networks, data), networks.spec
    number = FIRST_ROWS if spec is None or spec.num_data is None else min(FIRST_ROWS, spec.num_data)
    if data:
        example = prepare_data(networks, data)
    elif spec is not None:
        sites = structure.sites
        rows = {n: np.ones((number, *shape), dtype) for n, (shape, dtype) in spec.rows.items() if n not in sites}
        whole = {n: np.ones(shape, dtype) for n, (shape, dtype) in spec.whole.items() if n not in sites}
        example = Data(rows, whole)
    else:
        example = Data()
    if example.num_rows is None and structure.has_data_plate:
        example = Data(example.rows, example.whole, number)
    return example
