"""How a model comes to its variables: its networks are run once on some of the data, and checked against each other."""

import inspect
from dataclasses import dataclass

import keras
import numpy as np

from kprob import distributions
from kprob.backend import map_draws, random
from kprob.effects import Handler, Site, Trace
from kprob.engine import (
    Data,
    Networks,
    Structure,
    batch_of,
    check_pair,
    check_support,
    check_supports,
    discover,
    to_array,
)
from kprob.engine.arrays import Whole
from kprob.engine.repeating import check_repeatable
from kprob.engine.structure import structure_of
from kprob.errors import DataError, did_you_mean, explain, names
from kprob.layers import RandomVariable
from kprob.models.metrics import first_non_finite
from kprob.models.saveable import freeze_layers, frozen_layers

BUILD_ROWS = 1000
UNROLLED_DRAWS = 16


@dataclass(frozen=True)
class Spec:
    """What a build was made from, and what it found.

    Attributes:
        rows: Shape of one row and type, by name.
        whole: Shape and type, by name.
        num_data: Rows of the data set.
        latents: Names of the latents, those of q.
        foldable: Whether all latents are inside the data plate, so that draws can be folded into the batch.
        terms: Names of the terms of the objective, q's and then p's, in order.
    """

    rows: dict
    whole: dict
    num_data: int | None
    latents: tuple[str, ...]
    foldable: bool
    terms: tuple[str, ...]


class MedianStart(Handler):
    """Gives each latent its prior median, given the medians of those before it: where a guide starts."""

    def on_site(self, site: Site) -> None:
        if site.kind != "sample" or site.value is not None:
            return
        sizes = tuple(plate.size for plate in site.plates)
        center = _center(site.distribution)
        site.value = keras.ops.broadcast_to(center, (*sizes, *site.distribution.event_shape))


def _center(distribution):
    inner = distribution
    while type(inner).__name__.strip("_") in ("Independent", "BatchBroadcast"):
        inner = inner.distribution
    for center in (lambda: inner.quantile(0.5), inner.mean):
        try:
            value = center()
        except (NotImplementedError, ValueError, TypeError):
            continue
        if bool(keras.ops.all(keras.ops.isfinite(keras.ops.cast(value, "float32")))):
            return value
    # Families without either: the median of some draws, taken where it is in the support.
    draws = distributions.draw(distribution, (15,), random.seed(0))
    if distributions.is_discrete(distribution):
        return draws[0]
    bijector = distributions.support_bijector(distribution)
    return bijector.forward(keras.ops.median(bijector.inverse(draws), axis=0))


def structure(model, named: dict) -> Structure:
    """Returns the sites of a model's generative network, found by one prior run."""
    private = model.__dict__
    if private["_structure"] is None:
        networks: Networks = model.networks
        _check_covariates(networks, named)
        covariates = {
            name: to_array(name, value.value if isinstance(value, Whole) else value)
            for name, value in named.items()
            if name in networks.generative_arguments
        }
        whole = {name for name, value in named.items() if isinstance(value, Whole)}

        def run(values, size):
            batch = batch_of(Data(*_split(values, whole), None), with_index=False)
            return networks.run_generative(batch, random.seed(0), size=size)

        private["_structure"] = structure_of(discover(run, covariates, whole))
    return private["_structure"]


def _check_covariates(networks: Networks, named: dict) -> None:
    required = [name for name, required in networks.generative_arguments.items() if required]
    missing = [name for name in required if name not in named]
    if missing:
        guess = did_you_mean(missing[0], [name for name in named if name not in required])
        raise DataError(
            explain(
                f"`generative` of {networks.owner} needs `{missing[0]}`, which the data lacks.{guess}",
                received=f"data for {names(named)}",
                expected=f"data for {names(required)}",
                fix=f'add "{missing[0]}" to the data, or rename what stands for it',
            )
        )


def _split(values: dict, whole: set) -> tuple[dict, dict]:
    rows = {name: value for name, value in values.items() if name not in whole and value.ndim}
    return rows, {name: value for name, value in values.items() if name not in rows}


def build(model, data: Data, num_data: int | None = None, check_values: bool = True) -> None:
    """Makes a model's variables and checks its networks against each other and the data.

    Args:
        model: The model.
        data: Some rows, or all.
        num_data: Rows of the whole data set, where `data` is only a part of it.
        check_values: Whether observed values must lie in their supports.
    """
    if model.built:
        # A second fit to the same small data, or one epoch after another by hand, is checked once.
        fingerprint = data.fingerprint()
        if fingerprint is None or fingerprint != model.__dict__.get("_checked"):
            check_again(model, data)
            model.__dict__["_checked"] = fingerprint
        return
    num_data = num_data or data.num_rows
    sample = data if data.num_rows is None else data.take(slice(0, BUILD_ROWS))
    batch = batch_of(sample, num_data)
    networks: Networks = model.networks
    p = networks.run_generative(batch, random.seed(2))
    if check_values:
        _check_values(networks, p, data, num_data)
    if networks.inference is None or hasattr(model, "guide"):
        if networks.inference is None:
            model.guide = model.default_guide()
        _set_up_guide(model, batch, num_data)
        networks = model.networks
    q = networks.run_inference(batch, random.seed(1))
    check_pair(p, q, [*data.rows, *data.whole], networks.owner)
    latents = tuple(site.name for site in q.random_sites() if not site.intervened)
    p = networks.run_generative(batch, random.seed(2), latents=q)
    if check_values:
        check_supports(p, q)
        check_repeatable(networks, batch, q, p)
    foldable = p.data_plate is not None and all(q[name].in_data_plate for name in latents)
    terms = [f"{site.name} (inference)" for site in q.weighed_sites()]
    terms += [f"{site.name} (generative)" for site in p.weighed_sites()]
    rows = {name: (value.shape[1:], value.dtype.name) for name, value in data.rows.items()}
    whole = {name: (value.shape, value.dtype.name) for name, value in data.whole.items()}
    model.__dict__["_spec"] = Spec(rows, whole, num_data, latents, foldable, tuple(terms))
    model.built = True
    if getattr(model, "optimizer", None) is not None:  # there is no such attribute before `compile`
        model.optimizer.build(model.trainable_variables)


def check_again(model, data: Data) -> None:
    """Checks further data of a built model: its latents, rows and supports."""
    check_rows_of_guide(model, data)
    sample = data if data.num_rows is None else data.take(slice(0, BUILD_ROWS))
    networks = model.networks
    batch = batch_of(sample, data.num_rows)
    q = networks.run_inference(batch, random.seed(1))
    p = networks.run_generative(batch, random.seed(2))
    check_pair(p, q, [*data.rows, *data.whole], networks.owner)
    _check_values(networks, p, data, data.num_rows)


def _check_values(networks: Networks, trace: Trace, data: Data, num_data: int | None) -> None:
    if not trace.random_sites(observed=True) and not any(site.kind == "factor" for site in trace.sites.values()):
        if trace.data_plate is not None or data.rows or data.whole:
            raise DataError(_nothing_observed(networks, trace, data))

    def run(rows, seed: int) -> Trace:
        part = data if rows is None else data.take(rows)
        return networks.run_generative(batch_of(part, num_data), random.seed(seed))

    check_support(trace, run, data, BUILD_ROWS)


def _nothing_observed(networks: Networks, trace: Trace, data: Data) -> str:
    sites = [site.name for site in trace.random_sites()]
    inside = [site.name for site in trace.random_sites() if site.in_data_plate]
    return explain(
        f"The data has nothing that the generative network of {networks.owner} could be fitted to.",
        received=f"data for {names([*data.rows, *data.whole])}",
        expected=f"values of at least one of the sites {names(sites)}",
        fix=f'add the observed site, such as fit({{"{(inside or sites or ["name"])[-1]}": values}})',
    )


def check_rows_of_guide(model, data: Data, validation: bool = False) -> None:
    """Checks that data is about the rows that a guide with parameters per row was made for.

    Raises:
        DataError: It is about others.
    """
    guide = getattr(model, "guide", None)
    if guide is None or not guide.built or not guide.has_rows or data.num_rows is None:
        return
    if validation or data.num_rows != guide.num_data:
        raise DataError(
            explain(
                f"The guide of {type(model).__name__} has parameters of its own for each row that it was fitted to.",
                received=f"{data.num_rows} other rows",
                expected=f"the {guide.num_data} rows of the fit",
                fix="write `inference` with an encoder network, which gives a posterior for any row",
            )
        )


def _set_up_guide(model, batch: dict, num_data: int | None) -> None:
    if model.guide.built:
        return
    trace = model.networks.run_generative(batch, random.seed(0), extra=MedianStart())
    model.guide.setup(trace.random_sites(observed=False), num_data)


def evaluate(networks: Networks, objective, foldable: bool, batch: dict, seed) -> dict:
    """Evaluates an objective on a batch: its draws folded into the rows where that's possible, else one by one."""
    draws = objective.num_samples
    if draws == 1 or foldable:
        p, q = networks.pair(batch, seed, None if draws == 1 else draws)
        return {**objective.terms(p, q), "first_non_finite": _non_finite(p, q)}
    def once(seed):
        p, q = networks.pair(batch, seed)
        return {**objective.terms(p, q), "first_non_finite": _non_finite(p, q)}

    if draws <= UNROLLED_DRAWS:
        each = [once(random.fold_in(seed, i)) for i in range(draws)]
        stacked = {name: keras.ops.stack([terms[name] for terms in each]) for name in each[0]}
    else:
        stacked = map_draws(once, random.split(seed, draws), networks.variables())
    first = keras.ops.max(stacked.pop("first_non_finite"))
    return {**{name: keras.ops.mean(value) for name, value in stacked.items()}, "first_non_finite": first}


def _non_finite(p, q):
    terms = [keras.ops.sum(t.site_log_prob(site)) for t in (q, p) for site in t.weighed_sites()]
    return first_non_finite(terms)


def get_build_config(model) -> dict | None:
    """Returns what rebuilds the variables without data."""
    spec: Spec | None = model.__dict__["_spec"]
    if spec is None:
        return None
    return {
        "rows": {name: [list(shape), dtype] for name, (shape, dtype) in spec.rows.items()},
        "whole": {name: [list(shape), dtype] for name, (shape, dtype) in spec.whole.items()},
        "num_data": spec.num_data,
        "frozen": frozen_layers(model),
    }


def build_from_config(model, config: dict | None) -> None:
    """Makes the variables again, on rows of ones: only shapes matter."""
    if not config or model.built:
        return
    number = config["num_data"]
    some = None if number is None else min(number, 2)
    rows = {name: np.ones((some, *shape), dtype) for name, (shape, dtype) in config["rows"].items()}
    whole = {name: np.ones(tuple(shape), dtype) for name, (shape, dtype) in config["whole"].items()}
    structure(model, {**rows, **{name: Whole(value) for name, value in whole.items()}})
    build(model, Data(rows, whole, some), number, check_values=False)
    freeze_layers(model, config["frozen"])


def track_closure(model: keras.Model, function) -> None:
    """Makes networks that a function refers to part of the model, so that their weights are trained and saved."""
    found = inspect.getclosurevars(inspect.unwrap(function)) if inspect.isfunction(function) else None
    if found is None:
        return
    for name, value in {**found.globals, **found.nonlocals}.items():
        values = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]
        for i, layer in enumerate(values):
            if isinstance(layer, keras.layers.Layer):
                own = name if layer is value else f"{name}_{i}"
                model.modules[own] = layer
                if isinstance(layer, RandomVariable) and layer.owner_name is None:
                    layer.owner_name = own
