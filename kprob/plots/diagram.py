"""The content of a plate diagram: nodes, edges and plates of p and of q."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kprob.engine import Dependencies, SiteInfo, find_dependencies
from kprob.layers import RandomVariable
from kprob.models import ProbabilisticModel
from kprob.models.anatomy import example_data, fitted_rows, named_layers, observed_sites

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
    model: ProbabilisticModel, data: Mapping[str, Any] | None = None, parameters: bool = False, inference: bool = True
) -> dict[str, Panel]:
    """Returns the content of a model's diagram.

    Args:
        model: The model.
        data: Covariates, and values of observed sites, where the model isn't built.
        parameters: Whether learned parameters and the networks that have weights are shown.
        inference: Whether q is shown.

    Returns:
        The panels of "p" and, where there is one that can be shown, of "q".
    """
    example, layers = example_data(model, data), {}
    if parameters:
        layers = {n: v for n, v in named_layers(model).items() if not isinstance(v, RandomVariable)}
    p, q = find_dependencies(model.networks, example, layers, inference)
    names = {**example.rows, **example.whole}
    latents = None if q is None else [name for name in q.structure.random_sites() if name not in names]
    observed = observed_sites(model, data, latents) or set()
    number = fitted_rows(model)
    panels = {"p": _panel("p", p, dict.fromkeys(observed, "observed"), parameters, number)}
    if q is not None:
        roles = {name: "observed" for name in q.arguments if name in p.structure.sites}
        panels["q"] = _panel("q", q, roles, parameters, number)
    return panels


def _panel(key: str, network: Dependencies, roles: Mapping[str, str], parameters: bool, number: int | None) -> Panel:
    sites = network.structure.sites
    data_plate = next((site.plates[0][0] for site in sites.values() if site.in_data_plate), None)
    nodes, edges = {}, []
    for name in _arguments(key, network):
        plates = (data_plate,) if network.arguments[name] and data_plate else ()
        nodes[name] = Node(name, roles.get(name, "argument"), "", plates)
    for name, site in sites.items():
        if site.kind == "param" and not parameters:
            continue
        role = roles.get(name, "latent") if site.kind == "sample" else site.kind
        # A site that is also an argument is one node: data that the network looks at and has a density for.
        nodes[name] = Node(name, role, _caption(site), tuple(plate for plate, _ in site.plates))
    for child, parents in network.parents.items():
        edges += [(parent, child) for parent in parents if parent in nodes and child in nodes]
    for child, acting in network.layers.items():
        for name in acting if child in nodes else ():
            nodes.setdefault(f"({name})", Node(name, "layer"))
            edges.append((f"({name})", child))
    return Panel(_title(key, network), nodes, edges, _sizes(sites.values(), number))


def _arguments(key: str, network: Dependencies) -> list[str]:
    # A guide gets all that p takes, and seldom uses it.
    used = {parent for parents in network.parents.values() for parent in parents}
    return [name for name in network.arguments if key == "p" or name in used]


def _title(key: str, network: Dependencies) -> str:
    arguments = _arguments(key, network)
    variables = [name for name in network.structure.random_sites() if name not in arguments]
    return f"{key}({_listed(variables)} | {_listed(arguments)})" if arguments else f"{key}({_listed(variables)})"


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
    return f"{site.family}{shape}" if site.kind == "sample" else shape.strip()
