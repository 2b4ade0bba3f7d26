"""The plate diagram of a model, drawn by graphviz."""

import html
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from kprob.engine import Networks
from kprob.errors import KprobError, explain
from kprob.plots.diagram import Node, Panel, diagram

_FORMATS = ("png", "svg", "pdf")
_SOURCES = ("gv", "dot")
_FONT = "Helvetica"
_INK, _GREY, _SHADE = "#222222", "#8a8a8a", "#dcdcdc"
_COLORS = {"p": "#222222", "q": "#2b6cb0"}

_GRAPH = {"fontname": _FONT, "nodesep": "0.3", "ranksep": "0.45", "pad": "0.15"}
_PANEL = {"labelloc": "t", "fontsize": "13", "color": "transparent", "margin": "14"}
_PLATE = {
    "labelloc": "b",
    "labeljust": "r",
    "fontsize": "10",
    "fontcolor": _GREY,
    "color": _GREY,
    "style": "rounded",
    "margin": "10",
}
_NODE = {"fontname": _FONT, "fontsize": "12", "color": _INK, "fontcolor": _INK, "penwidth": "1.1"}
_EDGE = {"arrowsize": "0.7", "penwidth": "1.1"}
_EDGE_STYLES = {"p": "solid", "q": "dashed"}
_VARIABLE = {"shape": "ellipse", "style": "filled", "margin": "0.05,0.04"}
_ROLES = {
    "latent": {**_VARIABLE, "fillcolor": "white"},
    "observed": {**_VARIABLE, "fillcolor": _SHADE},
    "deterministic": {**_VARIABLE, "fillcolor": "white", "peripheries": "2"},
    "factor": {"shape": "box", "style": "filled", "fillcolor": _INK, "fontcolor": "white", "height": "0.3"},
    "argument": {"shape": "box", "style": "rounded,filled", "fillcolor": _SHADE},
    "param": {"shape": "plain"},
    "layer": {"shape": "box", "style": "filled", "fillcolor": "#eef3fa", "color": "#9db4d0", "height": "0.35"},
}


class HasNetworks(Protocol):
    """What can be drawn: a `ProbabilisticModel`."""

    @property
    def name(self) -> str:
        """Keras's name of the model."""

    @property
    def networks(self) -> Networks:
        """Its networks."""


def plot_model(
    model: HasNetworks,
    to_file: str | os.PathLike | None = None,
    *,
    data: Mapping[str, Any] | None = None,
    show_parameters: bool = False,
    show_families: bool = True,
    show_inference: bool = True,
) -> Any:
    """Draws the plate diagram of a model: what depends on what in p, and beside it in q.

    It runs the networks to find the edges, so paths through neural networks, indices and Python's `if` are all there.
    Ellipses are random variables, shaded where they are observed, doubled where their value follows from others; shaded
    boxes are covariates, black ones factors; frames are plates. q's edges are dashed.

    Args:
        model: A `ProbabilisticModel`.
        to_file: A path that ends in .png, .svg or .pdf, or in .gv for graphviz's own language; None writes nothing.
        data: Covariates, where the model isn't built and its networks need them, and observed values, to shade them.
        show_parameters: Whether `kprob.param` sites, and the networks whose weights are learned, are shown.
        show_families: Whether families and event shapes are shown.
        show_inference: Whether q is shown.

    Returns:
        The `graphviz.Digraph`, which notebooks show; `.source` is its text.

    Raises:
        ImportError: The Python package graphviz isn't installed.
        RuntimeError: `to_file` is a picture, and graphviz's own program `dot` isn't installed.

    Example:
        ```python
        import kprob
        from kprob import tfd

        @kprob.probmodel
        def temperature():
            temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
            kprob.sample("sensor", tfd.Normal(temp, 1.0))

        graph = kprob.plot_model(temperature(), data={"sensor": 18.0})
        assert '"p.temp" -> "p.sensor"' in graph.source
        ```
    """
    path = None if to_file is None else _checked_path(to_file)
    digraph = _graphviz().Digraph(name=model.name)
    digraph.attr(**_GRAPH)
    for key, panel in diagram(model.networks, data, show_parameters, show_inference).items():
        with digraph.subgraph(name=f"cluster_{key}") as cluster:
            cluster.attr(label=panel.title, fontcolor=_COLORS[key], **_PANEL)
            _draw(cluster, key, panel, show_families)
    if path is not None:
        _write(digraph, path)
    return digraph


def _draw(cluster: Any, key: str, panel: Panel, show_families: bool) -> None:
    names = _node_names(key, panel)
    _draw_plate(cluster, key, panel, (), names, show_families)
    for tail, head in panel.edges:
        cluster.edge(names[tail], names[head], color=_COLORS[key], style=_EDGE_STYLES[key], **_EDGE)


def _draw_plate(
    graph: Any, key: str, panel: Panel, path: tuple[str, ...], names: Mapping[str, str], show_families: bool
) -> None:
    for node_key, node in panel.nodes.items():
        if node.plates == path:
            graph.node(names[node_key], label=_label(node, show_families), **{**_NODE, **_ROLES[node.role]})
    for inner, size in panel.sizes.items():
        if inner[:-1] == path:
            # "cluster" at the start of its name is what makes graphviz draw a frame.
            with graph.subgraph(name="cluster_" + ".".join([key, *inner])) as plate:
                name = _graphviz().escape(inner[-1])
                plate.attr(label=name if size is None else f"{name} ({size:,})", **_PLATE)
                _draw_plate(plate, key, panel, inner, names, show_families)


def _node_names(key: str, panel: Panel) -> dict[str, str]:
    # A colon would separate a port from the node's name.
    names: dict[str, str] = {}
    for node_key in panel.nodes:
        name = f"{key}.{node_key.replace(':', '.')}"
        while name in names.values():
            name += "'"
        names[node_key] = name
    return names


def _label(node: Node, show_families: bool) -> str:
    # In graphviz's own HTML: the name, and small below it the family.
    name = html.escape(node.name)
    if node.role == "param":
        name = f"<I>{name}</I>"
    if not show_families or not node.caption:
        return f"<{name}>"
    return f'<{name}<BR/><FONT POINT-SIZE="9" COLOR="#666666">{html.escape(node.caption)}</FONT>>'


def _checked_path(to_file: str | os.PathLike) -> Path:
    path = Path(to_file)
    if path.suffix.lstrip(".").lower() not in _FORMATS + _SOURCES:
        raise KprobError(
            explain(
                "`plot_model` can't write a file of this kind.",
                received=str(path),
                expected=f"a name that ends in {', '.join('.' + suffix for suffix in _FORMATS + _SOURCES)}",
                fix='write plot_model(model, "model.png")',
            )
        )
    return path


def _write(digraph: Any, path: Path) -> None:
    suffix = path.suffix.lstrip(".").lower()
    if suffix in _SOURCES:
        path.write_text(digraph.source, encoding="utf-8")
        return
    try:
        picture = _sharp(digraph, suffix).pipe(format=suffix)
    except _graphviz().ExecutableNotFound as error:
        raise RuntimeError(
            explain(
                f"`plot_model` can't write {path}: graphviz's program `dot` isn't installed.",
                expected="`dot` on the search path",
                fix="install the system's package graphviz (apt-get install graphviz, brew install graphviz, or "
                "conda install graphviz), or write the source, which needs no program: a name that ends in .gv",
            )
        ) from error
    path.write_bytes(picture)


def _sharp(digraph: Any, suffix: str) -> Any:
    # Pixels for a modern screen; drawings of lines need none.
    if suffix != "png":
        return digraph
    fine = digraph.copy()
    fine.attr(dpi="144")
    return fine


def _graphviz() -> Any:
    try:
        import graphviz
    except ImportError as error:
        raise ImportError(
            explain(
                "`plot_model` needs the Python package graphviz.",
                fix="pip install 'kprob[plots]', and for pictures the system's package graphviz as well",
            )
        ) from error
    return graphviz
