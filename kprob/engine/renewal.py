"""A built model whose networks read something else from Python than before: they must still be those that it was built with.

A number may be another one: what was compiled is compiled anew. The sites, the latents and the weights are the same, since
guide, optimizer and draws are about them.
"""

from dataclasses import replace

from kprob.backend import random
from kprob.data import batch_of
from kprob.effects import Trace
from kprob.engine.checking.matching import check_pair
from kprob.engine.enumeration import find_plan
from kprob.engine.networks import Networks
from kprob.engine.spec import Spec
from kprob.engine.spec_of_runs import latents_of, spec_of, try_out
from kprob.errors import SiteError, add_note, explain, names


def follow_changes(networks: Networks) -> None:
    """Runs a built model's networks as they are now, and checks that they are still the same ones.

    Args:
        networks: The networks, something of which has changed.

    Raises:
        SiteError: They have other sites, latents or weights.
    """
    try:
        found = _sampled_spec(networks) if networks.require_spec().sampled else _spec(networks)
        _check_weights(networks)
    except Exception as error:
        add_note(error, f"kprob: {_what_changed(networks)}")
        raise
    networks.spec, networks.changed = found, ()


def _spec(networks: Networks) -> Spec:
    before, data = networks.require_spec(), networks.sample
    batch = batch_of(data, before.num_data)
    q = networks.run_inference(batch, random.seed(1))
    p = networks.run_generative(batch, random.seed(2), latents=None if networks.run_eagerly else q)
    check_pair(p, q, [*data.rows, *data.whole], networks.model_name)
    plan, networks.plan = networks.plan, find_plan(networks, batch, q)
    try:
        p = networks.run_generative(batch, random.seed(2), latents=q)
        folding, coupling = networks.folding, networks.coupling
        try_out(networks, data, p, q)
        # These are few rows: what was found of more of them stays in force.
        if networks.folding is not None and folding is not None:
            networks.folding = networks.folding.and_also(folding)
        networks.coupling = networks.coupling.and_also(coupling)
        found = spec_of(networks, batch, p, q, latents_of(networks, batch, q), data, before.num_data)
        _check_sites(networks, before, found)
    except Exception:
        networks.plan = plan
        raise
    return replace(before, local=found.local, shared=found.shared)


def _sampled_spec(networks: Networks) -> Spec:
    before, data = networks.require_spec(), networks.sample
    p: Trace = networks.run_generative(batch_of(data, before.num_data), random.seed(2))
    latents = tuple(site.name for site in p.random_sites(observed=False))
    terms = tuple(f"{site.name} (generative)" for site in p.weighed_sites())
    _check_sites(networks, before, replace(before, latents=latents, terms=terms))
    networks.folding = None  # of its prior, which is tried out when it is asked
    return before


def _check_sites(networks: Networks, before: Spec, now: Spec) -> None:
    if networks.run_eagerly or (now.latents, now.terms, now.summed) == (before.latents, before.terms, before.summed):
        return
    raise SiteError(
        explain(
            f"The networks of {networks.model_name} have other sites than when the model was built.",
            received=f"the terms {names(now.terms)}",
            expected=f"the terms {names(before.terms)}",
            fix="make a new model, of which these are the sites from the first run on",
        )
    )


def _check_weights(networks: Networks) -> None:
    new = [variable.path for variable in networks.host.trainable_variables if id(variable) not in networks.weights]
    if networks.weights and new:
        raise SiteError(
            explain(
                f"{networks.model_name} has got new weights after it was built.",
                received=f"the weights {names(new)}",
                expected="the weights that the optimizer and the saved files know",
                fix="make all layers in `__init__`, and a new model where you want other layers",
            )
        )


def _what_changed(networks: Networks) -> str:
    return f"{names(networks.changed)} changed after {networks.model_name} was built."
