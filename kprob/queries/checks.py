"""What a query asks for, checked: its sites, the values whose density it wants."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from kprob import checks
from kprob.data import Data, to_array
from kprob.engine import Networks, find_structure
from kprob.engine.queried_data import check_values
from kprob.engine.reparameterizing import shown_names
from kprob.errors import KprobError, SiteError, did_you_mean, explain
from kprob.errors import names as listed
from kprob.queries.target import Target
from kprob.types import Tensor


def require_fitted(networks: Networks, kind: str) -> None:
    """Raises where a model has no trained inference network yet."""
    if not networks.built:
        raise KprobError(
            explain(
                f"`{kind}` of {networks.model_name} needs a fitted model.",
                received="a model that was never fitted or loaded",
                expected="a trained inference network",
                fix="call model.compile(...).fit(data) first; `prior` works at any time",
            )
        )
    check_weights(networks)


def check_weights(networks: Networks) -> None:
    """Raises where a weight is no number any more, as after a fit that went astray: answers would be noise.

    They are looked through once after each fit.
    """
    if networks.weights_checked or not networks.built:
        return
    sums = [(v.path, float(keras.ops.sum(keras.ops.cast(v, "float32")))) for v in networks.host.trainable_variables]
    suspects = {path for path, total in sums if not np.isfinite(total)}  # a sum of large numbers may be infinite too
    bad = [v.path for v in networks.host.trainable_variables if v.path in suspects and not _finite(v)]
    if bad:
        raise KprobError(
            explain(
                f"{networks.model_name} has weights that aren't finite, and no answers.",
                received=f"NaN or infinite numbers in {listed(bad[:4])}" + (" and others" if len(bad) > 4 else ""),
                expected="finite weights",
                fix="make the model anew and fit it with a lower learning rate or clipnorm, or load weights from before",
            )
        )
    networks.weights_checked = True


def _finite(variable: keras.Variable) -> bool:
    return bool(keras.ops.all(keras.ops.isfinite(keras.ops.convert_to_tensor(variable))))


def wanted_names(networks: Networks, kind: str, names: Any, data: Data) -> list[str]:
    """Returns the sites that a query is about.

    Args:
        networks: The model's networks.
        kind: "prior", "posterior" or "posterior_predictive".
        names: What the user asked for: a name, names, or None.
        data: The query's data.

    Raises:
        SiteError: These are no sites that the query could be about.
    """
    if names is None:
        return default_names(networks, kind, data)
    site_names = [names] if isinstance(names, str) else list(names) if isinstance(names, list | tuple) else []
    if not site_names:
        raise SiteError(
            explain(
                "A query is about sites, by name.",
                received=repr(names),
                expected="a site's name, a list of names, or nothing for all",
                fix='write "z", or ["z", "x"]',
            )
        )
    _check_names(networks, kind, site_names)
    if kind == "posterior":
        _check_data_of_summed(networks, site_names, data)
    return site_names


def default_names(networks: Networks, kind: str, data: Data) -> list[str]:
    """Returns the sites that a query is about where none are named."""
    random_sites = find_structure(networks).random_sites()
    given = {*data.rows, *data.whole}
    if kind == "prior":
        given -= {*networks.generative_arguments}  # a covariate of a site's name is no value of the site
        return [name for name in shown_names(networks.reparam, random_sites) if name not in given]
    spec = networks.require_spec()
    if kind == "posterior":
        # What is summed out has a posterior given its own data.
        sites = find_structure(networks).sites
        answerable = any(name in given for name in random_sites) or _needs_no_data(networks)
        summed = [n for n in spec.summed if n not in given and (data.num_rows or not sites[n].in_data_plate)]
        return [*shown_names(networks.reparam, spec.latents), *(summed if answerable else ())]
    return [name for name in random_sites if name not in spec.unobserved]


def rank(networks: Networks, name: str) -> int:
    """Returns the number of axes of a site's value in one draw."""
    site = find_structure(networks).sites[name]
    return len(site.plates) + len(site.event_shape)


def prepare_values(networks: Networks, target: Target, batch: dict, values: Mapping[str, Any]) -> dict[str, Tensor]:
    """Returns the values whose density is asked for as tensors.

    Raises:
        KprobError: A name is unknown, a value no number, or one is missing that the density depends on.
    """
    known = find_structure(networks).sites
    for name in values:
        if name not in known or not (known[name].is_random or name in networks.reparam):
            raise SiteError(
                explain(
                    f"`log_prob` of {networks.model_name} got a value for `{name}`, which is no random variable."
                    f"{did_you_mean(name, known)}",
                    received=repr(name),
                    expected=listed(find_structure(networks).random_sites()),
                    fix="correct the name",
                )
            )
    arrays = {name: to_array(name, value, known[name].discrete) for name, value in values.items()}
    for name, array in arrays.items():
        checks.check_whole_numbers(name, array, known[name].dtype)
        checks.check_integers(name, array, known[name].dtype)
    check_values(networks, arrays)
    _require_values(networks, target, batch, values)
    return {name: keras.ops.convert_to_tensor(array) for name, array in arrays.items()}


def number_of_draws(lengths: dict[str, int]) -> int:
    """Returns the number of draws that all given values have.

    Raises:
        KprobError: They have different numbers.
    """
    if len(set(lengths.values())) > 1:
        raise KprobError(
            explain(
                "`log_prob` got different numbers of draws.",
                received=", ".join(f"`{name}`: {length}" for name, length in lengths.items()),
                expected="as many draws of each site, or one value without an axis of draws",
                fix="cut to the same number",
            )
        )
    return next(iter(lengths.values()))


def _check_names(networks: Networks, kind: str, wanted: list[str]) -> None:
    sites = find_structure(networks).sites
    allowed = [name for name, site in sites.items() if site.is_variable]
    if kind == "posterior":
        follows = [name for name, site in sites.items() if site.is_deterministic]
        allowed = [*networks.require_spec().unobserved, *follows]
    elif kind == "posterior_predictive":
        allowed = [name for name in allowed if name not in networks.require_spec().unobserved]
    for name in wanted:
        if name not in allowed:
            raise SiteError(
                explain(
                    f"`{kind}` of {networks.model_name} has no site `{name}`.{did_you_mean(name, allowed)}",
                    received=repr(name),
                    expected=listed(allowed),
                    fix="latents are queried by `posterior`, everything else by `posterior_predictive`, all by `prior`",
                )
            )


def _check_data_of_summed(networks: Networks, wanted: list[str], data: Data) -> None:
    spec, given = networks.require_spec(), {*data.rows, *data.whole}
    summed = [name for name in wanted if name in spec.summed]
    if _needs_no_data(networks):
        return
    if summed and not any(name in given for name in find_structure(networks).random_sites()):
        raise KprobError(
            explain(
                f"The posterior of `{summed[0]}` needs the data: it is summed out, so that nothing is kept of it.",
                received=f"data for {listed(given)}",
                expected="values of what was observed",
                fix=f'write posterior("{summed[0]}", data)',
            )
        )


def _needs_no_data(networks: Networks) -> bool:
    # What is known of the latents is in factors: there is nothing that could be observed.
    return all(name in networks.require_spec().unobserved for name in find_structure(networks).random_sites())


def _require_values(networks: Networks, target: Target, batch: dict, values: Mapping[str, Any]) -> None:
    # A site that is drawn where a value was needed would make the answer random: all sites that come before the last
    # one asked for need a value, since it may depend on them. The value of a site that runs in another form says that of its
    # latent.
    forms = {name: how.latent_name(name) for name, how in networks.reparam.items()}
    given = {*values, *batch["rows"], *batch["whole"], *(forms[name] for name in values if name in forms)}
    order, asked = find_structure(networks).random_sites(), {forms.get(name, name) for name in target.names}
    if target.kind == "posterior":
        spec = networks.require_spec()
        # What is summed out has a density only as a whole.
        order = [*spec.latents, *spec.summed]
        asked |= {*spec.summed} if asked & {*spec.summed} else set()
    last = max((order.index(name) for name in asked if name in order), default=-1)
    missing = shown_names(networks.reparam, [name for name in order[: last + 1] if name not in given])
    if missing:
        raise KprobError(
            explain(
                "`log_prob` needs a value for every random variable that the sites asked for may depend on.",
                received=f"values for {listed(given)}",
                expected=f"also {listed(missing)}",
                fix=f'add them: log_prob({{"{missing[0]}": value, ...}})',
            )
        )
