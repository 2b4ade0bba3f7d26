"""How a model comes to its variables: its networks are run once on some of the data, and checked against each other."""

import functools
import inspect
from dataclasses import dataclass

import keras
import numpy as np

from kprob import distributions
from kprob.backend import map_draws, random
from kprob.effects import Handler, Site, Trace
from kprob.engine import Data, Networks, Structure, batch_of, check_supports, discover, to_array
from kprob.engine.arrays import Whole
from kprob.engine.enumeration import enumerable, find_plan, to_sum_out
from kprob.engine.repeating import check_repeatable
from kprob.engine.structure import structure_of, unwrapped
from kprob.guides import Guide
from kprob.layers import RandomVariable
from kprob.models.agreement import check_covariates, check_data, check_networks, check_rows_of_guide
from kprob.models.metrics import first_non_finite
from kprob.models.saveable import freeze_layers, frozen_layers

BUILD_ROWS = 1000
BRANCH_RUNS = 20
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
        summed: Names of the discrete latents of p that q lacks, which are summed out.
    """

    rows: dict
    whole: dict
    num_data: int | None
    latents: tuple[str, ...]
    foldable: bool
    terms: tuple[str, ...]
    summed: tuple[str, ...] = ()

    @property
    def unobserved(self) -> tuple[str, ...]:
        """Names of all latents of p, whether q has them or they are summed out."""
        return (*self.latents, *self.summed)


class MedianStart(Handler):
    """Gives each latent its prior median, given the medians of those before it: where a guide starts."""

    def on_site(self, site: Site) -> None:
        if site.kind != "sample" or site.value is not None or distributions.is_discrete(site.distribution):
            return
        sizes = tuple(plate.size for plate in site.plates)
        center = _center(site.distribution)
        site.value = keras.ops.broadcast_to(center, (*sizes, *site.distribution.event_shape))


class StandIn(Handler):
    """Gives sites that only TFP can draw their centre, where only shapes matter: TFP's samplers compile for seconds."""

    def on_site(self, site: Site) -> None:
        if site.kind != "sample" or site.value is not None:
            return
        family = distributions.family_of(unwrapped(site.distribution))
        if family is None or family.sampler is not None:
            return
        sizes = tuple(plate.size for plate in site.plates)
        center = _center(site.distribution)
        if distributions.is_discrete(site.distribution):
            center = keras.ops.cast(keras.ops.round(center), site.distribution.dtype)
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
        check_covariates(networks, named)
        covariates = {
            name: to_array(name, value.value if isinstance(value, Whole) else value)
            for name, value in named.items()
            if name in networks.generative_arguments
        }
        whole = {name for name, value in named.items() if isinstance(value, Whole)}

        def run(values, size, seed=0):
            batch = batch_of(Data(*_split(values, whole), None), with_index=False)
            extra = None if model.run_eagerly else StandIn()
            return networks.run_generative(batch, random.seed(seed), size=size, extra=extra)

        sites = structure_of(discover(run, covariates, whole)).sites
        for seed in _branches(model):
            other = structure_of(discover(functools.partial(run, seed=seed), covariates, whole))
            sites = {**other.sites, **sites}
        private["_structure"] = Structure(sites)
    return private["_structure"]


def _branches(model) -> range:
    # Networks that run eagerly may take other branches in other runs, with sites and parameters of their own.
    return range(1, BRANCH_RUNS) if model.run_eagerly else range(0)


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
    p = networks.run_generative(batch, random.seed(2), extra=None if model.run_eagerly else StandIn())
    if check_values:
        check_data(networks, p, data, BUILD_ROWS, num_data)
    if networks.inference is None or hasattr(model, "guide"):
        if networks.inference is None:
            model.guide = model.default_guide()
        _set_up_guide(model, batch, num_data)
        networks = model.networks
    q = networks.run_inference(batch, random.seed(1))
    check_networks(model, batch, p, q, data)
    networks = _plan_sums(model, batch, q)
    drawn = [site for site in q.random_sites() if not site.intervened]
    latents = tuple(site.name for site in drawn)
    for seed in _branches(model):
        other = networks.run_inference(batch, random.seed(seed))
        latents = tuple(dict.fromkeys([*latents, *(site.name for site in other.random_sites() if not site.intervened)]))
        networks.run_generative(batch, random.seed(seed), latents=other)
    p = networks.run_generative(batch, random.seed(2), latents=q)
    summed = () if networks.plan is None else networks.plan.sites
    if check_values:
        if not isinstance(networks.inference, Guide):  # a guide takes its supports from p
            check_supports(p, q)
        check_repeatable(networks, batch, q, p)
    foldable = p.data_plate is not None and all(s.in_data_plate for s in [*drawn, *(p[name] for name in summed)])
    if summed:
        p = networks.replay(batch, random.seed(2), q)
    terms = [f"{site.name} (inference)" for site in q.weighed_sites()]
    terms += [f"{site.name} (generative)" for site in p.weighed_sites()]
    rows = {name: (value.shape[1:], value.dtype.name) for name, value in data.rows.items()}
    whole = {name: (value.shape, value.dtype.name) for name, value in data.whole.items()}
    model.__dict__["_spec"] = Spec(rows, whole, num_data, latents, foldable, tuple(terms), summed)
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
    check_networks(model, batch, p, q, data)
    if any(site.name not in model.__dict__["_spec"].summed for site in to_sum_out(p, q)):
        _plan_sums(model, batch, q)
    check_data(networks, p, data, BUILD_ROWS, data.num_rows)


def _set_up_guide(model, batch: dict, num_data: int | None) -> None:
    if model.guide.built:
        return
    trace = model.networks.run_generative(batch, random.seed(0), extra=MedianStart())
    model.guide.setup([site for site in trace.random_sites(observed=False) if not enumerable(site)], num_data)


def _plan_sums(model, batch: dict, q: Trace) -> Networks:
    # Discrete latents that q lacks are summed out from here on.
    model.__dict__["_plan"] = find_plan(model.networks, batch, q)
    return model.networks


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
