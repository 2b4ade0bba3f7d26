"""What a run of both networks says of a model: its `Spec`."""

from kprob.backend import random
from kprob.data import Data
from kprob.effects import Trace
from kprob.engine.networks import Networks
from kprob.engine.shared_inference import can_share
from kprob.engine.spec import Spec

BRANCH_RUNS = 20


def branches(networks: Networks) -> range:
    """Returns seeds of further runs: networks that run eagerly may take other branches, with sites of their own."""
    return range(1, BRANCH_RUNS) if networks.run_eagerly else range(0)


def latents_of(networks: Networks, batch: dict, q: Trace) -> tuple[str, ...]:
    """Returns the names of the latents, those of q, in all branches.

    Args:
        networks: The networks.
        batch: A batch.
        q: A run of q on it.
    """
    latents = [site.name for site in q.random_sites() if not site.intervened]
    for seed in branches(networks):
        other = networks.run_inference(batch, random.seed(seed))
        latents += [site.name for site in other.random_sites() if not site.intervened]
        networks.run_generative(batch, random.seed(seed), latents=other)
    return tuple(dict.fromkeys(latents))


def spec_of(
    networks: Networks, batch: dict, p: Trace, q: Trace, latents: tuple[str, ...], data: Data, num_data: int | None
) -> Spec:
    """Returns what runs of p and q say.

    Args:
        networks: The networks.
        batch: The batch that they ran on.
        p: A run of p, with the values of q.
        q: A run of q.
        latents: Names of the latents of q.
        data: The data.
        num_data: Rows of the whole data set.
    """
    latent_sites = [site for site in q.random_sites() if not site.intervened]
    summed = () if networks.plan is None else networks.plan.sites
    inside = all(site.in_data_plate for site in [*latent_sites, *(p[name] for name in summed)])
    foldable = p.data_plate is not None and inside
    guide = networks.guide
    shared = foldable and can_share(q, independent=guide is not None and guide.independent)
    if summed:
        p = networks.replay(batch, random.seed(2), q)
    terms = [f"{site.name} (inference)" for site in q.weighed_sites()]
    terms += [f"{site.name} (generative)" for site in p.weighed_sites()]
    rows = {name: (value.shape[1:], value.dtype.name) for name, value in data.rows.items()}
    whole = {name: (value.shape, value.dtype.name) for name, value in data.whole.items()}
    return Spec(rows, whole, num_data, latents, foldable, shared, tuple(terms), summed=summed)
