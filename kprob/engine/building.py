"""How a model comes to its variables: its networks are run once on some of the data, and checked against each other."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from kprob import distributions
from kprob.backend import random
from kprob.data import Data, Whole, batch_of, to_array
from kprob.data.batch import data_of
from kprob.distributions.wrappers import unwrapped
from kprob.effects import AnyPast, Handler, Site, Trace
from kprob.engine.checking.agreement import (
    check_covariates,
    check_data,
    check_inference,
    check_networks,
    check_rows_of_guide,
)
from kprob.engine.checking.impossible_parameters import check_parameters
from kprob.engine.checking.index_ranges import check_indices
from kprob.engine.checking.matching import check_supports
from kprob.engine.enumeration import enumerable, find_plan, to_sum_out
from kprob.engine.host import Host
from kprob.engine.networks import Networks
from kprob.engine.probing.dependencies import latent_parents
from kprob.engine.probing.dependency_search import find_dependencies
from kprob.engine.probing.foreign_weights import without_foreign_weights
from kprob.engine.probing.repeatability import check_repeatable
from kprob.engine.probing.structure import Structure, run_on_covariates, structure_of
from kprob.engine.renewal import follow_changes
from kprob.engine.reparameterizing import check_sites, choose
from kprob.engine.spec import Spec
from kprob.engine.spec_of_runs import branches, latents_of, spec_of, try_out
from kprob.guides import Guide
from kprob.guides.running.start_values import StartValues, center
from kprob.layers import RandomVariable
from kprob.types import Seed

BUILD_ROWS = 1000


class StandIn(Handler):
    """Gives sites that only TFP can draw their centre, where only shapes matter: TFP's samplers compile for seconds."""

    def on_sample(self, site: Site) -> None:
        if site.value is not None:
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
    def wrapped(*arguments: Any, **options: Any) -> Any:
        with AnyPast():
            return function(*arguments, **options)

    return wrapped


@_with_any_past
def find_structure(networks: Networks, named: Mapping | None = None, check_values: bool = True) -> Structure:
    """Returns the sites of a model's generative network, found by one prior run.

    Args:
        networks: The model's networks, which keep them.
        named: Data by name: covariates, and what is observed.
        check_values: Whether parameters must be possible.
    """
    named = dict(named or {})
    networks.refresh()
    if networks.changed and networks.built:
        follow_changes(networks)
        known = networks.sample
        networks.structure = _structure_by_running(
            networks, {**known.rows, **{n: Whole(v) for n, v in known.whole.items()}}, check_values
        )
    if networks.structure is None:
        networks.structure = _structure_by_running(networks, named, check_values)
        check_sites(networks.reparam, networks.structure, networks.model_name)
    if networks.reparam_is_open and any(name in networks.structure.sites for name in named):
        networks.reparam, networks.reparam_is_open = choose(networks, named), False
        networks.structure = None
        return find_structure(networks, named, check_values)
    return networks.structure


def _structure_by_running(networks: Networks, named: dict, check_values: bool) -> Structure:
    check_covariates(networks, named)
    covariates = {
        name: to_array(name, value.value if isinstance(value, Whole) else value)
        for name, value in named.items()
        if name in networks.generative_arguments
    }
    whole = {name for name, value in named.items() if isinstance(value, Whole)}

    def run(values: dict, size: int | None, seed: Seed = 0) -> Trace:
        batch = batch_of(Data(*_split(values, whole), None), with_index=False)
        return networks.run_generative(batch, random.seed(seed), size=size, extra=_stand_in(networks))

    trace = run_on_covariates(run, covariates, whole)
    if check_values:
        check_parameters(trace, lambda seed: run_on_covariates(functools.partial(run, seed=seed), covariates, whole))
    sites = structure_of(trace).sites
    for seed in branches(networks):
        other = structure_of(run_on_covariates(functools.partial(run, seed=seed), covariates, whole))
        sites = {**other.sites, **sites}
    return Structure(sites)


def _stand_in(networks: Networks) -> Handler | None:
    return None if networks.run_eagerly else StandIn()


def _split(values: dict, whole: set) -> tuple[dict, dict]:
    rows = {name: value for name, value in values.items() if name not in whole and value.ndim}
    return rows, {name: value for name, value in values.items() if name not in rows}


@_with_any_past
def build(networks: Networks, data: Data, num_data: int | None = None, check_values: bool = True) -> dict | None:
    """Makes a model's variables and checks its networks against each other and the data.

    Args:
        networks: The model's networks.
        data: Some rows, or all.
        num_data: Rows of the whole data set, where `data` is only a part of it.
        check_values: Whether observed values must lie in their supports.

    Returns:
        The batch that the networks ran on, where the variables were made now; None where they were there.
    """
    if networks.built:
        # A second fit to the same small data, or one epoch after another by hand, is checked once.
        fingerprint = data.fingerprint()
        if fingerprint is None or fingerprint != networks.checked:
            check_again(networks, data)
            networks.checked = fingerprint
            networks.keep_sample(data)
        return None
    host, num_data = networks.host, num_data or data.num_rows
    sample = data if data.num_rows is None else data.take(slice(0, BUILD_ROWS))
    batch = batch_of(sample, num_data)
    p = networks.run_generative(batch, random.seed(2), extra=_stand_in(networks))
    if check_values:
        check_data(networks, p, data, BUILD_ROWS, num_data)
    if networks.inference is None:
        host.guide = host.default_guide()
    if networks.guide is not None:
        _set_up_guide(networks, networks.guide, batch, data, num_data)
    q = networks.run_inference(batch, random.seed(1))
    check_networks(networks, batch, p, q, data)
    networks.plan = find_plan(networks, batch, q)  # discrete latents that q lacks are summed out from here on
    latents = latents_of(networks, batch, q)
    if networks.guide is None:
        without_foreign_weights(networks, "inference", lambda: networks.run_inference(batch, random.seed(1)))
    p = without_foreign_weights(
        networks, "generative", lambda: networks.run_generative(batch, random.seed(2), latents=q)
    )
    try_out(networks, data, p, q)
    if check_values:
        check_inference(networks, batch, q)
        if networks.guide is None:  # a guide takes its supports from p
            check_supports(p, q)
        if networks.folding is None or not networks.folding.of_both:  # else they were the same in several runs
            check_repeatable(networks, batch, q, p)
    networks.spec = spec_of(networks, batch, p, q, latents, data, num_data)
    networks.note_built(data)
    check_indices(networks, data)  # of q's, whose layers are built now
    return batch


@_with_any_past
def note_trained(networks: Networks, data: Data) -> None:
    """Takes note of what a fit trains of q where the data of the fits before it had those sites.

    Args:
        networks: The networks of a built model.
        data: The data of the fit.
    """
    spec = networks.require_spec()
    given = {*data.rows, *data.whole}
    new = tuple(name for name in spec.inferred if name not in spec.latents and name not in given)
    if not new:
        return
    sample = data if data.num_rows is None else data.take(slice(0, BUILD_ROWS))
    batch = batch_of(sample, data.num_rows)
    q = networks.run_inference(batch, random.seed(1))
    p = networks.run_generative(batch, random.seed(2), latents=q)
    try_out(networks, data, p, q)
    found = spec_of(networks, batch, p, q, (*spec.latents, *new), data, data.num_rows)
    networks.spec = dataclasses.replace(
        spec,
        latents=found.latents,
        local=spec.local and found.local,
        shared=spec.shared and found.shared,
        terms=found.terms,
    )
    networks.programs.clear()


@_with_any_past
def build_generative(networks: Networks, data: Data, num_data: int | None = None, check_values: bool = True) -> bool:
    """Makes the variables of a model that is fitted by a sampler, which has no inference network, and checks the data.

    Args:
        networks: The model's networks.
        data: The data.
        num_data: Rows of the whole data set, where `data` is only a part of it.
        check_values: Whether observed values must lie in their supports.

    Returns:
        Whether the variables were made now.
    """
    num_data = num_data or data.num_rows
    sample = data if data.num_rows is None else data.take(slice(0, BUILD_ROWS))
    p = networks.run_generative(batch_of(sample, num_data), random.seed(2), extra=_stand_in(networks))
    if check_values:
        check_data(networks, p, data, BUILD_ROWS, num_data)
    if networks.built:
        return False
    latents = tuple(site.name for site in p.random_sites(observed=False))
    variable_dtype = networks.host.variable_dtype
    rows = {name: (value.shape[1:], _own_type(value, variable_dtype)) for name, value in data.rows.items()}
    whole = {name: (value.shape, _own_type(value, variable_dtype)) for name, value in data.whole.items()}
    terms = tuple(f"{site.name} (generative)" for site in p.weighed_sites())
    networks.spec = Spec(rows, whole, num_data, latents, False, False, terms, sampled=True)
    networks.note_built(data)
    return True


def _own_type(value: np.ndarray, variable_dtype: str) -> str:
    # A sampler of double precision widens data for itself alone.
    widened = value.dtype == "float64" and variable_dtype != "float64"
    return "float32" if widened else value.dtype.name


@_with_any_past
def check_again(networks: Networks, data: Data) -> None:
    """Checks further data of a built model: its latents, rows and supports."""
    check_rows_of_guide(networks, data)
    sample = data if data.num_rows is None else data.take(slice(0, BUILD_ROWS))
    batch = batch_of(sample, data.num_rows)
    q = networks.run_inference(batch, random.seed(1))
    p = networks.run_generative(batch, random.seed(2))
    check_networks(networks, batch, p, q, data)
    check_inference(networks, batch, q)
    summed = () if networks.spec is None else networks.spec.summed
    if any(site.name not in summed for site in to_sum_out(p, q)):
        networks.plan = find_plan(networks, batch, q)
    check_data(networks, p, data, BUILD_ROWS, data.num_rows)


def _set_up_guide(networks: Networks, guide: Guide, batch: dict, data: Data, num_data: int | None) -> None:
    host = networks.host
    guide.claim(host, networks.model_name)
    if guide.built:
        return
    seed = random.from_generator(host.seed_generator) if guide.starts_at_random else random.seed(0)
    trace = networks.run_generative(batch, seed, extra=StartValues(guide.start_of))
    latents = [site for site in trace.random_sites(observed=False) if not enumerable(site)]
    parents = None
    if guide.needs_parents:
        parents = latent_parents(find_dependencies(networks, data, inference=False)[0], [s.name for s in latents])

    def draws(number: int, data: Any, seed: int) -> dict:
        return dict(host.posterior(None, data).sample(number, seed))

    guide.setup(latents, num_data, data_of(batch), parents, draws)


def ones(rows: Mapping, whole: Mapping, number: int | None) -> Data:
    """Returns data of given shapes and types, for runs in which only these matter.

    Args:
        rows: Shape of one row and type, by name.
        whole: Shape and type, by name.
        number: Rows of the data set; a few of them are made.
    """
    some = None if number is None else min(number, 2)
    by_row = {name: np.ones((some, *shape), dtype) for name, (shape, dtype) in rows.items()}
    return Data(by_row, {name: np.ones(tuple(shape), dtype) for name, (shape, dtype) in whole.items()}, some)


def track_closures(host: Host, *functions: object) -> None:
    """Makes networks that functions refer to part of the model, so that their weights are trained and saved."""
    for function in functions:
        if not inspect.isfunction(function):
            continue
        variables = inspect.getclosurevars(inspect.unwrap(function))
        for name, value in {**variables.globals, **variables.nonlocals}.items():
            held = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]
            for i, layer in enumerate(held):
                if isinstance(layer, keras.layers.Layer):
                    own = name if layer is value else f"{name}_{i}"
                    host.modules[own] = layer
                    if isinstance(layer, RandomVariable):
                        layer.name_after(own)
