"""From what a user asks for to the query that answers it."""

from typing import Any

from kprob import checks
from kprob.engine import Networks
from kprob.engine.checking.agreement import check_same_rows
from kprob.engine.queried_data import prepare_queried_data
from kprob.queries.checks import check_weights, require_fitted, wanted_names
from kprob.queries.inference_query import InferenceQuery
from kprob.queries.network_query import PriorQuery
from kprob.queries.target import Target


def prior_query(networks: Networks, names: Any = None, data: Any = None, size: int = 1) -> PriorQuery:
    """Returns a query about the prior.

    Args:
        networks: The model's networks.
        names: A site, a list of sites, or None for all.
        data: Covariates and, to condition on, values of sites.
        size: Length of the data plate where the data has no rows.
    """
    check_weights(networks)
    checks.check_count("size", size)
    with networks.precision():
        prepared = prepare_queried_data(networks, data)
        wanted = wanted_names(networks, "prior", names, prepared)
        return PriorQuery(networks, Target("prior", tuple(wanted), size), prepared, isinstance(names, str))


def inference_query(
    networks: Networks, kind: str, names: Any = None, data: Any = None, size: int = 1
) -> InferenceQuery:
    """Returns a query about the posterior, or the posterior predictive, that the inference network answers.

    Args:
        networks: The model's networks.
        kind: "posterior" or "posterior_predictive".
        names: A site, a list of sites, or None for all.
        data: What the networks take.
        size: Length of the data plate where the data has no rows.
    """
    require_fitted(networks, kind)
    prepared = prepare_queried_data(networks, data)
    checks.check_count("size", size)
    wanted = wanted_names(networks, kind, names, prepared)
    check_same_rows(networks, prepared)
    return InferenceQuery(networks, Target(kind, tuple(wanted), size), prepared, isinstance(names, str))
