"""Queries about sites that are summed out: their exact distribution given the data and a draw of the other latents."""

import keras

from kprob.backend import random
from kprob.effects import Site, Trace
from kprob.engine.enumeration import Factors, conditional, find_factors
from kprob.errors import SiteError, explain, names
from kprob.guides.start_values import StartValues


def needed(model, target) -> bool:
    """Whether a query about the posterior, or what follows from it, has to do with what is summed out."""
    plan = model.networks.plan
    return plan is not None and (target.kind != "posterior" or any(name in plan.variables for name in target.names))


def find(model, target, batch: dict, seed) -> Factors:
    """Returns the factors for one draw of the other latents."""
    networks = model.networks
    latents = networks.run_inference(batch, random.fold_in(seed, 0), None, target.size)
    return find_factors(networks, networks.plan, batch, seed, latents, None, target.size)


def complete(model, target, batch: dict, seed, latents: Trace, num_draws: int | None, size, given: dict) -> dict:
    """Draws what is summed out given a draw of the other latents, and adds it to their trace.

    Args:
        model: The model.
        target: What the query is about.
        batch: The data, rows repeated already.
        seed: A seed.
        latents: Trace of q, which gets the sites of what is summed out too.
        num_draws: Draws that the run stands for.
        size: Length of the data plate where the data has no rows.
        given: Values that the user gave.

    Returns:
        The values of all: those given, and those drawn.
    """
    networks = model.networks
    factors = find_factors(networks, networks.plan, batch, seed, latents, num_draws, size)
    if all(name in given for name in factors.sites):
        values = {name: given[name] for name in factors.sites}
        densities = conditional.log_probs(factors, values)
    else:
        values, densities = conditional.draw(factors, random.fold_in(seed, 2)), {}
    for name, value in values.items():
        site = factors.trace[name]
        own = Site(name, "sample", distribution=site.distribution, value=value, plates=site.plates)
        own.cached_log_prob = densities.get(name)
        latents.add(own)
    return {**given, **values}


def mode(model, target, batch: dict) -> dict:
    """Returns the most probable values of what is summed out, the other latents at the centre of q."""
    check_summed(model, target, "mode")
    with StartValues(lambda _: "median"):
        factors = find(model, target, batch, random.seed(0))
    found = conditional.mode(factors)
    return {name: keras.ops.convert_to_tensor(found[name]) for name in target.names}


def check_summed(model, target, verb: str) -> None:
    """Raises where a query asks for what only sites have that are summed out.

    Raises:
        SiteError: A site isn't, or the query isn't about the posterior.
    """
    summed = model.__dict__["_spec"].summed if model.built else ()
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
