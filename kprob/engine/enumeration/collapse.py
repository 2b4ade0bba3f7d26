"""A trace of p in which discrete latents are summed out: their sites have given way to factors."""

import dataclasses
from collections.abc import Sequence

from kprob.effects import Site, SiteKind, Trace
from kprob.engine.enumeration.elimination import eliminate
from kprob.engine.enumeration.factors import Factors, find_factors
from kprob.engine.enumeration.generative_network import GenerativeNetwork
from kprob.engine.enumeration.plan import SummationPlan
from kprob.engine.enumeration.tables import Table, spread
from kprob.errors import SiteError, explain, names
from kprob.types import Seed, Tensor

MOST_NAMES = 4


def collapse(
    networks: GenerativeNetwork,
    plan: SummationPlan,
    batch: dict,
    seed: Seed,
    inference: Trace,
    num_draws: int | None = None,
) -> Trace:
    """Runs p with the values of a run of q, and sums over all values of what q leaves out.

    Args:
        networks: The networks.
        plan: What is summed out.
        batch: The data, its rows repeated already.
        seed: A seed.
        inference: Trace of q.
        num_draws: Draws that the run stands for.

    Returns:
        A trace without the sites that are summed out. Those that depend on them are no random variables any more:
        observed ones keep their value, and one factor for each independent sum has the marginal log-density, in the
        plates that are left of it.
    """
    factors = find_factors(networks, plan, batch, seed, inference, num_draws)
    results = eliminate(factors.tables, factors.variables, factors.plates).results
    return _collapsed(factors, plan, results, num_draws)


def _collapsed(factors: Factors, plan: SummationPlan, results: Sequence[Table], num_draws: int | None) -> Trace:
    collapsed = Trace(num_draws)
    gone = {source for table in results for source in table.sources}
    for site in factors.trace.sites.values():
        if site.name in factors.variables or (site.is_deterministic and plan.parents.get(site.name)):
            continue
        if site.name in gone and site.is_random:
            site = dataclasses.replace(site, kind=SiteKind.DETERMINISTIC, cached_log_prob=None)
        elif site.name in gone:
            continue
        collapsed.add(site)
    for table in results:
        plates = tuple(factors.plates[name] for name in table.plates)
        scale = _scale([factors.trace[name] for name in table.sources])
        value = spread(table, factors.plates) if plates else table.log
        collapsed.add(Site(title(table), SiteKind.FACTOR, value=value, plates=plates, observed=True, scale=scale))
    return collapsed


def title(table: Table) -> str:
    """Returns the name of the factor that a sum leaves: `x, y summed over z`."""
    remaining = [name for name in table.sources if name not in table.summed]
    return f"{_some(remaining or table.sources)} summed over {_some(table.summed)}"


def _some(listed: Sequence[str]) -> str:
    return ", ".join(listed if len(listed) <= MOST_NAMES else [*listed[: MOST_NAMES - 1], "...", listed[-1]])


def _scale(sites: Sequence[Site]) -> float | Tensor:
    scales = [site.scale for site in sites]
    if all(_equal(scale, scales[0]) for scale in scales):
        return scales[0]
    raise SiteError(
        explain(
            "Sites whose discrete latents are summed out together are scaled differently.",
            received=f"scales {', '.join(f'{s.scale} of `{s.name}`' for s in sites[:MOST_NAMES])}",
            expected="one scale for all of them: a power of a sum isn't the sum of powers",
            fix=f"open one kprob.handlers.scale around all of {names(s.name for s in sites[:MOST_NAMES])}",
        )
    )


def _equal(one: float | Tensor, other: float | Tensor) -> bool:
    if one is other:
        return True
    return isinstance(one, int | float) and isinstance(other, int | float) and one == other
