"""The content of a plate diagram: nodes, edges and plates of p and of q."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kprob.engine import Dependencies, Networks, SiteInfo, find_dependencies
from kprob.inspection.example_data import example_data
from kprob.inspection.named_parts import named_layers
from kprob.inspection.roles import observed_sites
from kprob.layers import RandomVariable

_MAX_NAMES = 6


@dataclass(frozen=True)
class Node:
    """One symbol of the diagram.

    Attributes:
        name: Of the site, argument or layer.
        role: "latent", "observed", "deterministic", "factor", "param", "argument" or "layer".
        caption: Text below the name.
        plates: Names of the plates around it, outermost first.
    """

    name: str
    role: str
    caption: str = ""
    plates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Panel:
    """The diagram of one network.

    Attributes:
        title: The density that the network declares: q(z | x).
        nodes: By key; a layer's is its name in brackets, so that it can't be a site's.
        edges: Pairs of keys.
        sizes: Lengths of plates by their path, where they are known.
    """

    title: str
    nodes: dict[str, Node]
    edges: list[tuple[str, str]]
    sizes: dict[tuple[str, ...], int | None]


def diagram(
    networks: Networks, data: Mapping | None = None, parameters: bool = False, inference: bool = True
) -> dict[str, Panel]:
    """Returns the content of a model's diagram.

    Args:
        networks: The model's networks.
        data: Covariates, and values of observed sites, where the model isn't built.
        parameters: Whether learned parameters and the networks that have weights are shown.
        inference: Whether q is shown.

    Returns:
        The panels of "p" and, where there is one that can be shown, of "q".
    """
    found, layers = example_data(networks, data), {}
    if parameters:
        layers = {n: v for n, v in named_layers(networks.host).items() if not isinstance(v, RandomVariable)}
    p, q = find_dependencies(networks, found, layers, inference)
    latents = None if q is None else [n for n in q.structure.random_sites() if n not in {**found.rows, **found.whole}]
    observed = observed_sites(networks, data, latents) or set()
    number = None if networks.spec is None else networks.spec.num_data
    panels = {"p": _panel("p", p, dict.fromkeys(observed, "observed"), parameters, number)}
    if q is not None:
        roles = {name: "observed" for name in q.arguments if name in p.structure.sites}
        panels["q"] = _panel("q", q, roles, parameters, number)
    return panels


def _panel(key: str, found: Dependencies, roles: Mapping[str, str], parameters: bool, number: int | None) -> Panel:
    sites = found.structure.sites
    data_plate = next((site.plates[0][0] for site in sites.values() if site.in_data_plate), None)
    nodes, edges = {}, []
    for name in _arguments(key, found):
        plates = (data_plate,) if found.arguments[name] and data_plate else ()
        nodes[name] = Node(name, roles.get(name, "argument"), "", plates)
    for name, site in sites.items():
        if site.is_param and not parameters:
            continue
        role = roles.get(name, "latent") if site.is_random and not (site.fixed and key == "p") else "deterministic"
        role = str(site.kind) if not site.is_random else role
        # A site that is also an argument is one node: data that the network looks at and has a density for.
        nodes[name] = Node(name, role, _caption(site), tuple(plate for plate, _ in site.plates))
    for child, parents in found.parents.items():
        edges += [(parent, child) for parent in parents if parent in nodes and child in nodes]
    for child, acting in found.layers.items():
        for name in acting if child in nodes else ():
            nodes.setdefault(f"({name})", Node(name, "layer"))
            edges.append((f"({name})", child))
    return Panel(_title(key, found), nodes, edges, _sizes(sites.values(), number))


def _arguments(key: str, found: Dependencies) -> list[str]:
    # A guide is handed all that p takes, and seldom uses it.
    used = {parent for parents in found.parents.values() for parent in parents}
    return [name for name in found.arguments if key == "p" or name in used]


def _title(key: str, found: Dependencies) -> str:
    given = _arguments(key, found)
    drawn = [name for name in found.structure.random_sites() if name not in given]
    return f"{key}({_listed(drawn)} | {_listed(given)})" if given else f"{key}({_listed(drawn)})"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names if len(names) <= _MAX_NAMES else [*names[: _MAX_NAMES - 1], "..."])


def _sizes(sites: Iterable[SiteInfo], number: int | None) -> dict[tuple[str, ...], int | None]:
    sizes = {}
    for site in sites:
        path: tuple[str, ...] = ()
        for plate, size in site.plates:
            path = (*path, plate)
            sizes[path] = number if size is None else size
    return sizes


def _caption(site: SiteInfo) -> str:
    shape = f" {site.event_shape}" if site.event_shape else ""
    return f"{site.family}{shape}" if site.is_random else shape.strip()
