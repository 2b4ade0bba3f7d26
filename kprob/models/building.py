"""How a model comes to its variables: its networks are run once on some of the data, and checked against each other."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from kprob import distributions
from kprob.backend import random
from kprob.data import Data, batch_of, to_array
from kprob.data.arrays import Whole
from kprob.data.batch import data_of
from kprob.effects import AnyPast, Handler, Site, Trace
from kprob.engine import Networks, Structure, check_supports, discover, find_dependencies, latent_parents
from kprob.engine.enumeration import enumerable, find_plan, to_sum_out
from kprob.engine.probing.repeating import check_repeatable
from kprob.engine.probing.structure import structure_of, unwrapped
from kprob.engine.shared import can_share
from kprob.guides import Guide
from kprob.guides.start_values import StartValues, center
from kprob.layers import RandomVariable
from kprob.models import predicting, reparameterizing
from kprob.models.agreement import check_covariates, check_data, check_networks, check_rows_of_guide
from kprob.models.owner import owner_of
from kprob.models.saveable import freeze_layers, frozen_layers

BUILD_ROWS = 1000
BRANCH_RUNS = 20


@dataclass(frozen=True)
class Spec:
    """What a build was made from, and what it found.

    Attributes:
        rows: Shape of one row and type, by name.
        whole: Shape and type, by name.
        num_data: Rows of the data set.
        latents: Names of the latents, those of q.
        foldable: Whether all latents are inside the data plate, so that draws can be folded into the batch.
        shared: Whether q may then run once for all draws.
        terms: Names of the terms of the objective, q's and then p's, in order.
        sampled: Whether it was built for a sampler, without an inference network.
        summed: Names of the discrete latents of p that q lacks, which are summed out.
    """

    rows: dict
    whole: dict
    num_data: int | None
    latents: tuple[str, ...]
    foldable: bool
    shared: bool
    terms: tuple[str, ...]
    sampled: bool = False
    summed: tuple[str, ...] = ()

    @property
    def unobserved(self) -> tuple[str, ...]:
        """Names of all latents of p, whether q has them or they are summed out."""
        return (*self.latents, *self.summed)


class StandIn(Handler):
    """Gives sites that only TFP can draw their centre, where only shapes matter: TFP's samplers compile for seconds."""

    def on_site(self, site: Site) -> None:
        if site.kind != "sample" or site.value is not None:
            return
        family = distributions.family_of(unwrapped(site.distribution))
        if family is None or family.sampler is not None:
            return
        sizes = tuple(plate.size for plate in site.plates)
        middle = center(site.distribution)
        if distributions.is_discrete(site.distribution):
            middle = keras.ops.cast(keras.ops.round(middle), site.distribution.dtype)
        site.value = keras.ops.broadcast_to(middle, (*sizes, *site.distribution.event_shape))


def _with_any_past(function: Callable) -> Callable:
    # Building looks at shapes, types and supports: a series isn't drawn step by step for them.
    @functools.wraps(function)
    def wrapped(*arguments, **options):
        with AnyPast():
            return function(*arguments, **options)

    return wrapped


@_with_any_past
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
        reparameterizing.check_sites(model.reparam, private["_structure"], owner_of(model))
    if reparameterizing.is_open(model, named):
        private["_reparam"], private["_structure"] = reparameterizing.choose(model, named), None
        return structure(model, named)
    return private["_structure"]


def _branches(model) -> range:
    # Networks that run eagerly may take other branches in other runs, with sites and parameters of their own.
    return range(1, BRANCH_RUNS) if model.run_eagerly else range(0)


def _split(values: dict, whole: set) -> tuple[dict, dict]:
    rows = {name: value for name, value in values.items() if name not in whole and value.ndim}
    return rows, {name: value for name, value in values.items() if name not in rows}


@_with_any_past
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
        _set_up_guide(model, batch, data, num_data)
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
    shared = foldable and can_share(q, independent=hasattr(model, "guide") and model.guide.independent)
    if summed:
        p = networks.replay(batch, random.seed(2), q)
    terms = [f"{site.name} (inference)" for site in q.weighed_sites()]
    terms += [f"{site.name} (generative)" for site in p.weighed_sites()]
    rows = {name: (value.shape[1:], value.dtype.name) for name, value in data.rows.items()}
    whole = {name: (value.shape, value.dtype.name) for name, value in data.whole.items()}
    model.__dict__["_spec"] = Spec(rows, whole, num_data, latents, foldable, shared, tuple(terms), summed=summed)
    model.built = True
    model.apply_frozen()
    set_up_objective(model, batch)
    if getattr(model, "optimizer", None) is not None:  # there is no such attribute before `compile`
        model.optimizer.build(model.trainable_variables)


@_with_any_past
def build_generative(model, data: Data, num_data: int | None = None, check_values: bool = True) -> None:
    """Makes the variables of a model that is fitted by a sampler, which has no inference network, and checks the data.

    Args:
        model: The model.
        data: The data.
        num_data: Rows of the whole data set, where `data` is only a part of it.
        check_values: Whether observed values must lie in their supports.
    """
    num_data = num_data or data.num_rows
    sample = data if data.num_rows is None else data.take(slice(0, BUILD_ROWS))
    networks: Networks = model.networks
    p = networks.run_generative(
        batch_of(sample, num_data), random.seed(2), extra=None if model.run_eagerly else StandIn()
    )
    if check_values:
        check_data(networks, p, data, BUILD_ROWS, num_data)
    if model.built:
        return
    latents = tuple(site.name for site in p.random_sites(observed=False))
    rows = {name: (value.shape[1:], _own_type(model, value)) for name, value in data.rows.items()}
    whole = {name: (value.shape, _own_type(model, value)) for name, value in data.whole.items()}
    terms = tuple(f"{site.name} (generative)" for site in p.weighed_sites())
    model.__dict__["_spec"] = Spec(rows, whole, num_data, latents, False, False, terms, sampled=True)
    model.built = True
    if getattr(model, "optimizer", None) is not None:  # as loading does, which compares the two
        model.optimizer.build(model.trainable_variables)


def _own_type(model, value: np.ndarray) -> str:
    # A sampler of double precision widens data for itself alone.
    widened = value.dtype == "float64" and model.variable_dtype != "float64"
    return "float32" if widened else value.dtype.name


@_with_any_past
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


def _set_up_guide(model, batch: dict, data: Data, num_data: int | None) -> None:
    guide: Guide = model.guide
    if guide.built:
        return
    networks = model.networks
    seed = random.from_generator(model.seed_generator) if guide.starts_at_random else random.seed(0)
    trace = networks.run_generative(batch, seed, extra=StartValues(guide.start_of))
    latents = [site for site in trace.random_sites(observed=False) if not enumerable(site)]
    parents = None
    if guide.needs_parents:
        parents = latent_parents(find_dependencies(networks, data, inference=False)[0], [s.name for s in latents])

    def draws(number: int, data, seed: int) -> dict:
        return dict(predicting.query(model, "posterior", None, data).sample(number, seed))

    guide.setup(latents, num_data, data_of(batch), parents, draws)


def _plan_sums(model, batch: dict, q: Trace) -> Networks:
    # Discrete latents that q lacks are summed out from here on.
    model.__dict__["_plan"] = find_plan(model.networks, batch, q)
    return model.networks


def set_up_objective(model, batch: dict | None = None) -> None:
    """Makes the variables of a built model's objective.

    Args:
        model: The model.
        batch: A batch; rows of ones where there is none, since only shapes matter.
    """
    if model.objective is None or not model.objective.layers:
        return
    if batch is None:
        spec = model.__dict__["_spec"]
        batch = batch_of(_ones(spec.rows, spec.whole, spec.num_data), spec.num_data)
    model.objective.build(*model.networks.pair(batch, random.seed(0)))


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
        "sampled": spec.sampled,
        "reparam": {name: keras.saving.serialize_keras_object(how) for name, how in model.reparam.items()},
        "frozen_names": list(model.frozen),
    }


def build_from_config(model, config: dict | None) -> None:
    """Makes the variables again, on rows of ones: only shapes matter."""
    if not config or model.built:
        return
    if config.get("frozen_names"):
        model.freeze(*config["frozen_names"])
    reparam = config.get("reparam", {})
    model.__dict__["_reparam"] = {n: keras.saving.deserialize_keras_object(how) for n, how in reparam.items()}
    number = config["num_data"]
    data = _ones(config["rows"], config["whole"], number)
    structure(model, {**data.rows, **{name: Whole(value) for name, value in data.whole.items()}})
    make = build_generative if config.get("sampled") else build
    make(model, data, number, check_values=False)
    freeze_layers(model, config["frozen"])


def _ones(rows: dict, whole: dict, number: int | None) -> Data:
    some = None if number is None else min(number, 2)
    by_row = {name: np.ones((some, *shape), dtype) for name, (shape, dtype) in rows.items()}
    return Data(by_row, {name: np.ones(tuple(shape), dtype) for name, (shape, dtype) in whole.items()}, some)


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
