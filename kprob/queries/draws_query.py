"""Queries that are answered by a sampler's draws, and what follows from each of them."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from kprob import checks
from kprob.backend import compile_function, float_type, map_draws, random
from kprob.backend.seeds import number_of
from kprob.data import Data, batch_of
from kprob.density import only
from kprob.effects import Site
from kprob.engine import Networks, find_structure
from kprob.engine.checking.agreement import other_rows
from kprob.engine.enumeration import SummationPlan, conditional, find_factors, find_plan
from kprob.engine.queried_data import prepare_queried_data
from kprob.engine.reparameterizing import shown_names
from kprob.errors import DataError, KprobError, SiteError, did_you_mean, explain
from kprob.errors import names as listed
from kprob.numerics import to_numpy
from kprob.queries.query import Arrays, Query
from kprob.samplers.chains.draws import Draws
from kprob.types import Seed, Tensor


class DrawsQuery(Query):
    """A query about the posterior, or the posterior predictive, of a model with draws.

    Args:
        networks: The model's networks.
        draws: The draws.
        kind: "posterior" or "posterior_predictive".
        names: The sites that the user asks for: a name, names, or None for all.
        data: Data by name.
        size: Length of the data plate where the data has no rows.
    """

    def __init__(self, networks: Networks, draws: Draws, kind: str, names: Any, data: Any, size: int):
        self.networks, self.draws, self.kind, self.size = networks, draws, kind, size
        with networks.precision():
            prepared = prepare_queried_data(networks, data)
            wanted = _wanted(networks, kind, names, draws, prepared)
            check_rows(networks, draws, prepared)
            self.batch = batch_of(prepared, with_index=False)
        super().__init__(wanted, isinstance(names, str))

    def _draw(self, number: int, seed: int | None) -> Arrays:
        start = number_of(seed, self.networks.host.seed_generator)
        rows, pooled = _rows_of_draws(self.draws, number, start), self.draws.pooled()
        if self.kind == "posterior" and all(name in pooled for name in self.names):
            return {name: pooled[name][rows] for name in self.names}
        return _run(self.networks, tuple(self.names), self.draws, rows, self.batch, self.size, start, False)

    def _density(self, values: Mapping[str, Any], seed: int | None) -> Arrays:
        raise KprobError(_no_density(self.networks.model_name))

    def _describe(self, seed: int | None) -> dict[str, dict]:
        raise KprobError(_no_density(self.networks.model_name))

    def _exact(self) -> dict[str, tuple]:
        # Of draws, their own moments are as exact as any.
        if self.kind != "posterior":
            return {}
        pooled = {name: value for name, value in self.draws.pooled().items() if name in self.names}
        return {name: (value.mean(axis=0), value.std(axis=0, ddof=1)) for name, value in pooled.items()}


def require_draws(model_name: str, draws: Draws | None) -> Draws:
    """Returns a model's draws.

    Raises:
        KprobError: There are none yet.
    """
    if draws is None or not draws.num_draws:
        raise KprobError(
            explain(
                f"{model_name} has no draws yet.",
                received="a model compiled with a sampler that hasn't been fitted, or whose fit ended while warming up or before "
                "the last temperature",
                fix="call model.fit(data): where a fit ended early, it goes on",
            )
        )
    return draws


def predict(
    networks: Networks, draws: Draws, x: Any, num_samples: int, seed: int | None
) -> np.ndarray | dict[str, np.ndarray]:
    """Returns the posterior-predictive mean of what the data doesn't give, over all draws or some of them.

    Args:
        networks: The model's networks.
        draws: The draws.
        x: Data by name.
        num_samples: Draws to average over.
        seed: Makes the result repeatable.
    """
    checks.check_count("num_samples", num_samples)
    with networks.precision():
        data = prepare_queried_data(networks, x)
        batch = batch_of(data, with_index=False)
    check_rows(networks, draws, data)
    sites, given = find_structure(networks).sites, {*data.rows, *data.whole}
    wanted = [n for n in _allowed(networks, "posterior_predictive", draws) if sites[n].is_random]
    wanted = [n for n in wanted if n not in given] or wanted
    rows = _rows_of_draws(draws, num_samples, number_of(seed, networks.host.seed_generator))
    values = _run(networks, tuple(wanted), draws, rows, batch, 1, number_of(seed, networks.host.seed_generator), True)
    means = {name: value.mean(axis=0) for name, value in values.items()}
    return means[wanted[0]] if len(wanted) == 1 else means


def _rows_of_draws(draws: Draws, number: int, seed: int) -> np.ndarray:
    # Without replacement while there are enough, in random order, so that draws next to each other aren't of one chain.
    total = draws.num_chains * draws.num_draws
    generator = np.random.default_rng(seed)
    return np.concatenate([generator.permutation(total) for _ in range(-(-number // total))])[:number]


def _run(
    networks: Networks,
    wanted: tuple[str, ...],
    draws: Draws,
    rows: np.ndarray,
    batch: dict,
    size: int,
    seed: int,
    means: bool,
) -> Arrays:
    # Each predictive draw has its own posterior draw and its own noise.
    def make() -> Any:
        with networks.precision():
            plan = _sums(networks, draws, batch)

        def program(batch: dict, values: dict, seeds: Seed) -> dict:
            def once(draw: dict) -> dict:
                seed, given = draw["seed"], draw["values"]
                if plan is not None:
                    given = _with_sums(networks, plan, batch, seed, given, size)
                trace = networks.run_generative(batch, seed, None, None, size, given=given, unobserved=wanted)
                return {name: _value(trace[name], means) for name in wanted}

            return map_draws(once, {"seed": seeds, "values": values}, networks.variables())

        return compile_function(program, networks.variables)

    given = tuple(batch["rows"]), tuple(batch["whole"])  # what isn't may be summed out
    program = networks.programs.cached(("draws", wanted, size, means, given), make)
    with networks.precision():
        values = {name: keras.ops.convert_to_tensor(value[rows]) for name, value in draws.pooled().items()}
        return to_numpy(program(batch, values, random.split(random.seed(seed), len(rows))))


def _sums(networks: Networks, draws: Draws, batch: dict) -> SummationPlan | None:
    # Discrete latents, which the sampler summed out.
    sites = find_structure(networks).sites
    names = [n for n, site in sites.items() if site.is_random and site.discrete and n not in draws.sites]
    if all(name in {**batch["rows"], **batch["whole"]} for name in names):
        return None
    trace = networks.run_generative(batch, random.seed(0))
    return find_plan(networks, batch, only(trace, draws.sites))


def _with_sums(
    networks: Networks, plan: SummationPlan, batch: dict, seed: Seed, values: dict, size: int
) -> dict[str, Tensor]:
    # Their values are drawn from their exact distribution given the data and a draw of the other latents.
    trace = networks.run_generative(batch, seed, None, None, size, given=values)
    factors = find_factors(networks, plan, batch, seed, only(trace, values), None, size)
    return {**values, **conditional.draw(factors, random.fold_in(seed, 2))}


def _value(site: Site, mean: bool) -> Tensor:
    if not mean or not site.is_random:
        return site.value
    try:
        expected = site.distribution.mean()
    except NotImplementedError:
        expected = site.value
    return keras.ops.broadcast_to(keras.ops.cast(expected, float_type()), keras.ops.shape(site.value))


def _wanted(networks: Networks, kind: str, names: Any, draws: Draws, data: Data) -> list[str]:
    allowed = _allowed(networks, kind, draws)
    if names is None:
        sites = find_structure(networks).sites
        return (
            shown_names(networks.reparam, draws.sites)
            if kind == "posterior"
            else [n for n in allowed if sites[n].is_random]
        )
    wanted = [names] if isinstance(names, str) else list(names)
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
    return wanted


def _allowed(networks: Networks, kind: str, draws: Draws) -> list[str]:
    sites = find_structure(networks).sites
    follows = [name for name, site in sites.items() if site.is_deterministic]
    if kind == "posterior":
        summed = [n for n, s in sites.items() if s.is_random and s.discrete and n not in draws.sites]
        return [*draws.sites, *follows, *summed]
    return [name for name, site in sites.items() if site.is_variable and name not in draws.sites]


def check_rows(networks: Networks, draws: Draws, data: Data) -> None:
    """Raises where latents that have a value per row are those of other rows."""
    sites: Mapping = find_structure(networks).sites
    local = [name for name in draws.sites if sites[name].in_data_plate]
    if not local or data.num_rows is None:
        return
    rows, others = draws.values[local[0]].shape[2], other_rows(draws.origin.rows, data)
    if data.num_rows != rows or others:
        raise DataError(
            explain(
                f"Latent `{local[0]}` of {networks.model_name} has a value for each row that was fitted.",
                received=f"{data.num_rows} other rows" + (f": {listed(others)} not as in the fit" if others else ""),
                expected=f"the {rows} rows of the fit, in their order",
                fix="fit the new rows too, or train an inference network, which gives a posterior for any row",
            )
        )


def _no_density(model_name: str) -> str:
    return explain(
        f"The posterior of {model_name} is known by draws, which have no density.",
        received="a model compiled with a sampler",
        expected="sample, mean, stddev or interval",
        fix="compile with an objective such as kprob.ELBO() where a density of q is wanted",
    )
