"""Whether data and networks agree: what is missing, what is impossible, what is about other rows."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from kprob.backend import random
from kprob.data import Data, batch_of
from kprob.data.fingerprint import of_each
from kprob.effects import Trace
from kprob.engine.checking.data_support import check_support
from kprob.engine.checking.impossible_parameters import check_parameters
from kprob.engine.checking.matching import check_pair
from kprob.engine.networks import Networks
from kprob.errors import DataError, MismatchError, did_you_mean, explain, names


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


def check_not_empty(networks: Networks, x: Any, data: Data) -> None:
    """Checks that data which was passed has something in it, where the model is about rows.

    Without rows, no data says that nothing was observed, as `fit()` does.

    Raises:
        DataError: It has nothing.
    """
    structure = networks.structure
    if x is None or data.rows or data.whole or structure is None or not structure.has_data_plate:
        return
    known = structure.random_sites()
    raise DataError(
        explain(
            "The data is empty.",
            received=repr(x),
            expected=f"values by name, of {names([*networks.generative_arguments, *known])}",
            fix=f'pass what was observed, such as fit({{"{(known or ["name"])[-1]}": values}}); a model of which '
            "nothing is observed is fitted by `fit()`",
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


def rows_at_a_time(networks: Networks, rows: int | None, size: int) -> int:
    """Returns how many rows are run at once where nobody says: all of them where a network looks across rows.

    Args:
        networks: The networks.
        rows: Rows of the data.
        size: How many it is otherwise.
    """
    return size if networks.coupling.across_rows is None or rows is None else max(rows, 1)


def check_batches_of_rows(networks: Networks, rows: int | None, size: int) -> None:
    """Checks that a network which looks across rows sees them all.

    Args:
        networks: The networks.
        rows: Rows of the data set.
        size: Rows of a batch.

    Raises:
        DataError: It would see a batch of them.
    """
    site = networks.coupling.across_rows
    if site is None or rows is None or size >= rows:
        return
    raise DataError(
        explain(
            f"`{site}` of {networks.model_name} at one row depends on other rows, so that a batch of rows doesn't stand for all.",
            received=f"batches of {size} of the {rows} rows",
            expected="all rows at once: the network looks across them (a mean, a sum, a shift, an order or a fixed row)",
            fix=f"pass batch_size={rows}, or let each row look at itself alone",
        )
    )


def check_independent_rows(networks: Networks, trace: Trace) -> None:
    """Checks that no row's density depends on the latents of another row, where a guide counts on it.

    Raises:
        MismatchError: One does.
    """
    plate = trace.data_plate
    if plate is not None and plate.name in networks.coupling.plates:
        raise MismatchError(
            explain(
                f"{type(networks.guide).__name__} takes the rows of {networks.model_name} one by one, and they aren't independent.",
                received="a network in which a row's density depends on the latents of other rows",
                expected="rows that are independent given what is outside the data plate",
                fix="use kprob.guides.MultivariateNormal(), or declare these latents in a plate with a size",
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


def check_same_rows(networks: Networks, data: Data) -> None:
    """Checks that what a guide with parameters per row is asked about are the rows of the last fit.

    A fit may bring other rows, for which these parameters are then learnt; an answer may not.

    Raises:
        DataError: They are others.
    """
    check_rows_of_guide(networks, data)
    guide, known = networks.guide, networks.fitted_rows
    if guide is None or not guide.built or not guide.has_rows or not known:
        return
    others = other_rows(known, data)
    if others:
        raise DataError(
            explain(
                f"The guide of {networks.model_name} has parameters of its own for each row that it was fitted to.",
                received=f"{data.num_rows} other rows: {names(others)} not as in the fit",
                expected=f"the {guide.num_data} rows of the fit, in their order",
                fix="fit these rows, or give the guide an encoder, or write `inference` with one, which gives a posterior for "
                "any row",
            )
        )


def other_rows(known: Mapping[str, str], data: Data) -> list[str]:
    """Returns the names of those arrays of rows that differ from known ones.

    Args:
        known: Fingerprints by name, as `kprob.data.fingerprint.of_each` makes them.
        data: The data.
    """
    found = of_each({name: value for name, value in data.rows.items() if name in known})
    return [name for name, own in found.items() if own != known[name]]


def _nothing_observed(networks: Networks, trace: Trace, data: Data) -> str:
    sites = [site.name for site in trace.random_sites()]
    inside = [site.name for site in trace.random_sites() if site.in_data_plate]
    return explain(
        f"The data has nothing that the generative network of {networks.model_name} could be fitted to.",
        received=f"data for {names([*data.rows, *data.whole])}",
        expected=f"values of at least one of the sites {names(sites)}",
        fix=f'add the observed site, such as fit({{"{(inside or sites or ["name"])[-1]}": values}})',
    )
