"""From what a user passes to a model's data: named, checked, split into rows and the rest."""

from typing import Any

from kprob.data import Data
from kprob.engine.building import find_structure
from kprob.engine.checking.index_ranges import check_indices
from kprob.engine.inputs import Inputs, name_data
from kprob.engine.networks import Networks


def named_data(networks: Networks, x: Any = None, y: Any = None) -> dict:
    """Returns data by name; data without names gets the only ones that it can have.

    Args:
        networks: The model's networks.
        x: Data by name, or an array where only one reading is possible.
        y: Observed values, where `x` has only the covariates.
    """
    arguments = networks.generative_arguments, networks.inference_arguments
    return name_data(x, y, *arguments, lambda named: find_structure(networks, named), networks.model_name)


def prepare_data(networks: Networks, x: Any = None, y: Any = None, sample_weight: Any = None) -> Data:
    """Returns data by name, checked, split into rows and the rest.

    Args:
        networks: The model's networks.
        x: Data by name, or an array where only one reading is possible.
        y: Observed values, where `x` has only the covariates.
        sample_weight: A weight for each row.
    """
    named = named_data(networks, x, y)
    arguments = networks.generative_arguments, networks.inference_arguments
    inputs = Inputs(*arguments, find_structure(networks, named), networks.model_name)
    data = inputs.data(named, sample_weight, distinct=not networks.built)
    check_indices(networks, data)
    return data
