"""The part that each site plays: observed, latent, or summed out."""

from collections.abc import Mapping, Sequence

from kprob.effects import Trace
from kprob.engine import Networks, find_structure


def observed_sites(networks: Networks, data: Mapping | None, latents: Sequence[str] | None) -> set[str] | None:
    """Returns which sites are observed, or None while that can't be known.

    Args:
        networks: The model's networks.
        data: What the user gives, or nothing.
        latents: Sites of the inference network, or None where that isn't known yet.
    """
    random_sites = find_structure(networks, data).random_sites()
    if networks.spec is not None:
        latents = networks.spec.unobserved
    if latents is not None:
        return {name for name in random_sites if name not in latents}
    given = {name for name in random_sites if name in (data or {})}
    return given or None


def latents_of(trace: Trace) -> list[str]:
    """Returns the latents that a run of an inference network declared: all but what the data gives."""
    return [site.name for site in trace.random_sites() if not site.intervened]
