"""What a run of both networks says of a model: its `Spec`."""

from kprob.backend import random
from kprob.data import Data
from kprob.effects import Trace
from kprob.engine.checking.agreement import check_independent_rows
from kprob.engine.networks import Networks
from kprob.engine.probing.coupled_plates import find_coupling
from kprob.engine.probing.folding import find_folding
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
    summed = () if networks.plan is None else networks.plan.sites
    guide, local = networks.guide, _is_local(networks, p, q)
    shared = local and can_share(q, independent=guide is not None and guide.independent)
    if summed:
        p = networks.replay(batch, random.seed(2), q)
    terms = [f"{site.name} (inference)" for site in q.weighed_sites()]
    terms += [f"{site.name} (generative)" for site in p.weighed_sites()]
    rows = {name: (value.shape[1:], value.dtype.name) for name, value in data.rows.items()}
    whole = {name: (value.shape, value.dtype.name) for name, value in data.whole.items()}
    inferred = tuple(site.name for site in q.random_sites())
    return Spec(rows, whole, num_data, latents, local, shared, tuple(terms), summed=summed, inferred=inferred)


def try_out(networks: Networks, data: Data, p: Trace, q: Trace) -> None:
    """Finds by trial runs whether draws can share a run, and whether plates are axes of independence.

    Args:
        networks: The networks, which keep what is found.
        data: The data.
        p: A run of p, with the values of q.
        q: A run of q.
    """
    can_try = _is_local(networks, p, q) and not networks.run_eagerly
    networks.folding = find_folding(networks, data) if can_try else None
    networks.coupling = find_coupling(networks, data, q)
    if networks.guide is not None and networks.guide.needs_independent_rows:
        check_independent_rows(networks, p)


def _is_local(networks: Networks, p: Trace, q: Trace) -> bool:
    # Whether every latent, drawn or summed out, is inside the data plate.
    latents = [site for site in q.random_sites() if not site.intervened]
    summed = () if networks.plan is None else networks.plan.sites
    return p.data_plate is not None and all(site.in_data_plate for site in [*latents, *(p[name] for name in summed)])
