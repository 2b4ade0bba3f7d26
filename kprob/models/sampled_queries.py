"""Queries of a model that was fitted by a sampler: about its draws, and what follows from each of them."""

from collections.abc import Mapping

import keras
import numpy as np

from kprob import checks
from kprob.backend import compile_function, float_type, map_draws, random
from kprob.data import Data, batch_of
from kprob.density import only
from kprob.engine.enumeration import conditional, find_factors, find_plan
from kprob.errors import DataError, KprobError, SiteError, did_you_mean, explain
from kprob.errors import names as listed
from kprob.models.drawn import random_number, require_draws
from kprob.models.owner import owner_of
from kprob.models.precision import in_precision
from kprob.models.reparameterizing import shown_names
from kprob.queries import Query
from kprob.samplers.chains.draws import Draws


def query(model, kind: str, names, data, size: int) -> Query:
    """Makes a query about the posterior, or the posterior predictive, of a model with draws."""
    draws = require_draws(model)
    with in_precision(model):
        prepared = model.prepare_data(data)
        wanted = _wanted(model, kind, names, draws, prepared)
        check_rows(model, draws, prepared)
        batch = batch_of(prepared, with_index=False)
    return Query(
        wanted,
        isinstance(names, str),
        lambda number, seed: _sample(model, kind, wanted, draws, batch, size, number, seed),
        lambda values, seed: _no_density(model),
        lambda seed: _no_density(model),
        lambda: _moments(wanted, draws) if kind == "posterior" else {},
    )


def predict(model, x, num_samples: int, seed: int | None):
    """Returns the posterior-predictive mean of what the data doesn't give, over all draws or some of them."""
    checks.check_count("num_samples", num_samples)
    draws = require_draws(model)
    with in_precision(model):
        data = model.prepare_data(x)
        batch = batch_of(data, with_index=False)
    check_rows(model, draws, data)
    wanted = [n for n in _allowed(model, "posterior_predictive", draws) if model.structure().sites[n].is_random]
    wanted = [n for n in wanted if n not in {*data.rows, *data.whole}] or wanted
    rows = _rows_of_draws(draws, num_samples, _seed(model, seed))
    found = _run(model, tuple(wanted), draws, rows, batch, 1, _seed(model, seed), True)
    means = {name: value.mean(axis=0) for name, value in found.items()}
    return means[wanted[0]] if len(wanted) == 1 else means


def _sample(model, kind, wanted, draws: Draws, batch, size, number: int, seed) -> dict[str, np.ndarray]:
    seed = _seed(model, seed)
    rows = _rows_of_draws(draws, number, seed)
    pooled = draws.pooled()
    if kind == "posterior" and all(name in pooled for name in wanted):
        return {name: pooled[name][rows] for name in wanted}
    return _run(model, tuple(wanted), draws, rows, batch, size, seed, False)


def _rows_of_draws(draws: Draws, number: int, seed: int) -> np.ndarray:
    # Without replacement while there are enough, in random order, so that draws next to each other aren't of one chain.
    total = draws.num_chains * draws.num_draws
    generator = np.random.default_rng(seed)
    return np.concatenate([generator.permutation(total) for _ in range(-(-number // total))])[:number]


def _run(model, wanted, draws: Draws, rows, batch, size: int, seed: int, means: bool) -> dict[str, np.ndarray]:
    # Each predictive draw has its own posterior draw and its own noise.
    key = ("draws", wanted, size, means)
    programs = model.__dict__["_programs"]
    if key not in programs:
        with in_precision(model):
            plan = _sums(model, draws, batch)

        def program(batch, values, seeds):
            def once(draw):
                seed, given = draw["seed"], draw["values"]
                if plan is not None:
                    given = _with_sums(model.networks, plan, batch, seed, given, size)
                trace = model.networks.run_generative(batch, seed, None, None, size, given=given, unobserved=wanted)
                return {name: _value(trace[name], means) for name in wanted}

            return map_draws(once, {"seed": seeds, "values": values}, model.variables)

        programs[key] = compile_function(program, lambda: model.variables)
    with in_precision(model):
        values = {name: keras.ops.convert_to_tensor(value[rows]) for name, value in draws.pooled().items()}
        found = programs[key](batch, values, random.split(random.seed(seed), len(rows)))
    return {name: np.array(keras.ops.convert_to_numpy(value)) for name, value in found.items()}


def _sums(model, draws: Draws, batch: dict):
    # Discrete latents, which the sampler summed out.
    sites = model.structure().sites
    names = [n for n, site in sites.items() if site.is_random and site.discrete and n not in draws.sites]
    if all(name in {**batch["rows"], **batch["whole"]} for name in names):
        return None
    trace = model.networks.run_generative(batch, random.seed(0))
    return find_plan(model.networks, batch, only(trace, draws.sites))


def _with_sums(networks, plan, batch: dict, seed, values: dict, size: int) -> dict:
    # Their values are drawn from their exact distribution given the data and a draw of the other latents.
    trace = networks.run_generative(batch, seed, None, None, size, given=values)
    factors = find_factors(networks, plan, batch, seed, only(trace, values), None, size)
    return {**values, **conditional.draw(factors, random.fold_in(seed, 2))}


def _value(site, mean: bool):
    if not mean or not site.is_random:
        return site.value
    try:
        expected = site.distribution.mean()
    except NotImplementedError:
        expected = site.value
    return keras.ops.broadcast_to(keras.ops.cast(expected, float_type()), keras.ops.shape(site.value))


def _moments(wanted, draws: Draws) -> dict[str, tuple]:
    pooled = draws.pooled()
    return {name: (pooled[name].mean(axis=0), pooled[name].std(axis=0, ddof=1)) for name in wanted if name in pooled}


def _wanted(model, kind: str, names, draws: Draws, data: Data) -> list[str]:
    allowed = _allowed(model, kind, draws)
    if names is None:
        sites = model.structure().sites
        return shown_names(model, draws.sites) if kind == "posterior" else [n for n in allowed if sites[n].is_random]
    wanted = [names] if isinstance(names, str) else list(names)
    for name in wanted:
        if name not in allowed:
            raise SiteError(
                explain(
                    f"`{kind}` of {owner_of(model)} has no site `{name}`.{did_you_mean(name, allowed)}",
                    received=repr(name),
                    expected=listed(allowed),
                    fix="latents are queried by `posterior`, everything else by `posterior_predictive`, all by `prior`",
                )
            )
    return wanted


def _allowed(model, kind: str, draws: Draws) -> list[str]:
    sites = model.structure().sites
    follows = [name for name, site in sites.items() if site.is_deterministic]
    if kind == "posterior":
        summed = [n for n, s in sites.items() if s.is_random and s.discrete and n not in draws.sites]
        return [*draws.sites, *follows, *summed]
    return [name for name, site in sites.items() if site.is_variable and name not in draws.sites]


def check_rows(model, draws: Draws, data: Data) -> None:
    """Raises where latents that have a value per row are those of other rows."""
    sites: Mapping = model.structure().sites
    local = [name for name in draws.sites if sites[name].in_data_plate]
    if not local or data.num_rows is None:
        return
    rows = draws.values[local[0]].shape[2]
    if data.num_rows != rows:
        raise DataError(
            explain(
                f"Latent `{local[0]}` of {owner_of(model)} has a value for each row that was fitted.",
                received=f"{data.num_rows} other rows",
                expected=f"the {rows} rows of the fit",
                fix="fit the new rows too, or train an inference network, which gives a posterior for any row",
            )
        )


def _seed(model, seed: int | None) -> int:
    if seed is None:
        return random_number(model)
    checks.check_count("seed", seed, 0)
    return int(seed)


def _no_density(model):
    raise KprobError(
        explain(
            f"The posterior of {owner_of(model)} is known by draws, which have no density.",
            received="a model compiled with a sampler",
            expected="sample, mean, stddev or interval",
            fix="compile with an objective such as kprob.ELBO() where a density of q is wanted",
        )
    )
