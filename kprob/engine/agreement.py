"""Whether data and networks agree: what is missing, what is impossible, what is about other rows."""

from typing import Any

import numpy as np

from kprob.backend import random
from kprob.data import Data, batch_of
from kprob.effects import Trace
from kprob.engine.data_support import check_support
from kprob.engine.impossible_parameters import check_parameters
from kprob.engine.matching import check_pair
from kprob.engine.networks import Networks
from kprob.errors import DataError, did_you_mean, explain, names


def check_covariates(networks: Networks, named: dict) -> None:
    """Checks that the data has what the generative network takes.

    Raises:
        DataError: It lacks a covariate.
    """
    required = [name for name, required in networks.generative_arguments.items() if required]
    missing = [name for name in required if name not in named]
    if missing:
        guess = did_you_mean(missing[0], [name for name in named if name not in required])
        raise DataError(
            explain(
                f"`generative` of {networks.model_name} needs `{missing[0]}`, which the data lacks.{guess}",
                received=f"data for {names(named)}",
                expected=f"data for {names(required)}",
                fix=f'add "{missing[0]}" to the data, or rename what stands for it',
            )
        )


def check_networks(networks: Networks, batch: dict, p: Trace, q: Trace, data: Data) -> None:
    """Checks the two networks of a model against each other.

    Args:
        networks: The networks.
        batch: The batch that they ran on.
        p: A trace of the generative network.
        q: A trace of the inference network.
        data: All data.
    """
    if networks.run_eagerly:  # a Python `if` on a drawn value: p must take the branch that q took
        p = networks.run_generative(batch, random.seed(2), latents=q)
    check_pair(p, q, [*data.rows, *data.whole], networks.model_name)


def check_data(networks: Networks, trace: Trace, data: Data, checked: int, num_data: int | None) -> None:
    """Checks that something is observed, and that it is possible.

    Args:
        networks: The networks.
        trace: A trace of the generative network on the first rows.
        data: All data.
        checked: Number of rows that `trace` is about.
        num_data: Rows of the whole data set.

    Raises:
        DataError: Nothing is observed, or a value is outside its support.
        SiteError: A parameter of a site is impossible.
    """
    if not trace.random_sites(observed=True) and not any(site.is_factor for site in trace.sites.values()):
        if trace.data_plate is not None or data.rows or data.whole:
            raise DataError(_nothing_observed(networks, trace, data))

    def run(rows: Any, seed: int) -> Trace:
        part = data if rows is None else data.take(rows)
        return networks.run_generative(batch_of(part, num_data), random.seed(seed))

    rows = None if data.num_rows is None else np.arange(min(checked, data.num_rows))
    check_parameters(trace, lambda seed: run(rows, seed))
    check_support(trace, run, data, checked)


def check_inference(networks: Networks, batch: dict, trace: Trace) -> None:
    """Checks that the parameters of the inference network's sites are possible.

    Args:
        networks: The networks.
        batch: The batch that it ran on.
        trace: A trace of it.

    Raises:
        SiteError: One isn't.
    """
    check_parameters(trace, lambda seed: networks.run_inference(batch, random.seed(seed)))


def check_whole_sums(networks: Networks, rows: int | None, size: int) -> None:
    """Checks that a fit sees all rows at once where a sum over a discrete latent needs them.

    Args:
        networks: The networks.
        rows: Rows of the data set.
        size: Rows of a batch.

    Raises:
        DataError: The batches are smaller.
    """
    whole = () if networks.plan is None else networks.plan.whole
    if whole and rows is not None and size < rows:
        raise DataError(
            explain(
                f"{names(whole)} of {networks.model_name} can't be summed out in batches: all rows depend on the same value, and "
                "a sum over its values needs the densities of all of them.",
                received=f"batches of {size} of the {rows} rows",
                expected="all rows in every step",
                fix=f"fit with batch_size={rows}, or declare {names(whole)} in `inference`",
            )
        )


def check_rows_of_guide(networks: Networks, data: Data, validation: bool = False) -> None:
    """Checks that data is about the rows that a guide with parameters per row was made for.

    Raises:
        DataError: It is about others.
    """
    guide = networks.guide
    if guide is None or not guide.built or not guide.has_rows or data.num_rows is None:
        return
    if validation or data.num_rows != guide.num_data:
        raise DataError(
            explain(
                f"The guide of {networks.model_name} has parameters of its own for each row that it was fitted to.",
                received=f"{data.num_rows} other rows",
                expected=f"the {guide.num_data} rows of the fit",
                fix="give the guide an encoder, or write `inference` with one, which gives a posterior for any row",
            )
        )


def _nothing_observed(networks: Networks, trace: Trace, data: Data) -> str:
    sites = [site.name for site in trace.random_sites()]
    inside = [site.name for site in trace.random_sites() if site.in_data_plate]
    return explain(
        f"The data has nothing that the generative network of {networks.model_name} could be fitted to.",
        received=f"data for {names([*data.rows, *data.whole])}",
        expected=f"values of at least one of the sites {names(sites)}",
        fix=f'add the observed site, such as fit({{"{(inside or sites or ["name"])[-1]}": values}})',
    )
