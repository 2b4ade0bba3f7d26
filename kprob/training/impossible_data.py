"""What `fit` says of values outside their supports that were found on the device."""

from kprob.engine import Networks, find_structure
from kprob.engine.checking.impossible_values import IMPOSSIBLE
from kprob.errors import DataError, explain


def check_possible(networks: Networks, fault: int) -> None:
    """Raises where observed values weren't possible.

    Args:
        networks: The networks.
        fault: What `Evaluation.first_non_finite` was.
    """
    if fault < IMPOSSIBLE:
        return
    structure = find_structure(networks)
    name = structure.random_sites()[fault - IMPOSSIBLE]
    family = structure.sites[name].family
    raise DataError(
        explain(
            f"The data for `{name}` of {networks.model_name} has values outside the support of its {family} distribution.",
            received="an impossible value in one of the batches, or rows, that were trained on; the weights have seen it",
            expected=f"values that a {family} with the parameters of its row can have, in every batch",
            fix="correct or rescale the data (such as pixels / 255, labels from 0, no more successes than trials), or choose "
            "another family; then fit a new model",
        )
    )
