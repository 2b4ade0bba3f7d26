"""Queries about sites that are summed out: their exact distribution given the data and a draw of the other latents."""

from collections.abc import Mapping

import keras

from kprob.backend import random
from kprob.effects import Site, SiteKind, Trace
from kprob.engine import Networks
from kprob.engine.enumeration import Factors, SummationPlan, conditional, find_factors
from kprob.errors import SiteError, explain, names
from kprob.guides.running.start_values import StartValues
from kprob.queries.target import Target
from kprob.types import Seed, Tensor


def needed(networks: Networks, target: Target) -> bool:
    """Whether a query about the posterior, or what follows from it, has to do with what is summed out."""
    plan = networks.plan
    return plan is not None and (target.kind != "posterior" or any(name in plan.variables for name in target.names))


def find(networks: Networks, target: Target, batch: dict, seed: Seed) -> Factors:
    """Returns the factors for one draw of the other latents."""
    latents = networks.run_inference(batch, random.fold_in(seed, 0), None, target.size)
    return find_factors(networks, _plan(networks), batch, seed, latents, None, target.size)


def complete(
    networks: Networks,
    target: Target,
    batch: dict,
    seed: Seed,
    latents: Trace,
    num_draws: int | None,
    given: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """Draws what is summed out given a draw of the other latents, and adds it to their trace.

    Args:
        networks: The networks.
        target: What the query is about.
        batch: The data, rows repeated already.
        seed: A seed.
        latents: Trace of q, which gets the sites of what is summed out too.
        num_draws: Draws that the run stands for.
        given: Values that the user gave.

    Returns:
        The values of all: those given, and those drawn.
    """
    factors = find_factors(networks, _plan(networks), batch, seed, latents, num_draws, target.size)
    if all(name in given for name in factors.sites):
        values = {name: given[name] for name in factors.sites}
        densities = conditional.log_probs(factors, values)
    else:
        values, densities = conditional.draw(factors, random.fold_in(seed, 2)), {}
    for name, value in values.items():
        site = factors.trace[name]
        own = Site(name, SiteKind.SAMPLE, distribution=site.distribution, value=value, plates=site.plates)
        own.cached_log_prob = densities.get(name)
        latents.add(own)
    return {**given, **values}


def mode(networks: Networks, target: Target, batch: dict) -> dict[str, Tensor]:
    """Returns the most probable values of what is summed out, the other latents at the centre of q."""
    check_summed(networks, target, "mode")
    with StartValues(lambda _: "median"):
        factors = find(networks, target, batch, random.seed(0))
    modes = conditional.mode(factors)
    return {name: keras.ops.convert_to_tensor(modes[name]) for name in target.names}


def check_summed(networks: Networks, target: Target, verb: str) -> None:
    """Raises where a query asks for what only sites have that are summed out.

    Raises:
        SiteError: A site isn't, or the query isn't about the posterior.
    """
    summed = () if networks.spec is None else networks.spec.summed
    others = [name for name in target.names if name not in summed]
    if others or target.kind != "posterior":
        raise SiteError(
            explain(
                f"`{verb}` is for discrete latents that are summed out.",
                received=f"{target.kind} of {names(others or target.names)}",
                expected=f"posterior of {names(summed)}",
                fix=f'write posterior("{summed[0]}", data).{verb}()' if summed else "use `sample`",
            )
        )


def _plan(networks: Networks) -> SummationPlan:
    if networks.plan is None:
        raise SiteError(f"Nothing of {networks.model_name} is summed out.")
    return networks.plan
