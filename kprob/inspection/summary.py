"""The table that `model.summary()` prints: sites, families, shapes, plates and parameters of p and of q."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kprob.backend import random
from kprob.data import Data, batch_of
from kprob.effects import Trace
from kprob.engine import Networks, SiteInfo, Spec, Structure, find_structure, on_first_rows, with_site_values
from kprob.engine.enumeration import enumerable
from kprob.engine.probing.structure import structure_of
from kprob.engine.probing.variable_reads import VariableReads
from kprob.errors import names
from kprob.guides import Guide
from kprob.inspection.example_data import example_data
from kprob.inspection.named_parts import named_layers
from kprob.inspection.roles import latents_of, observed_sites
from kprob.layers import RandomVariable

WIDTH = 100
_GAP = "   "
_SITE_COLUMNS = ("Site", "Family", "Event shape", "Plates", "Parameters", "Role")
# For types that NumPy lacks, ones as long.
_SAME_SIZE = {"bfloat16": "float16", "float8_e4m3fn": "int8", "float8_e5m2": "int8", "int4": "int8", "uint4": "int8"}


def print_summary(networks: Networks, data: Mapping | None, print_fn: Callable[[str], object]) -> None:
    """Prints the sites, their families, shapes and plates, and the parameters.

    Both networks run on a few rows, so that layers which weren't built are.

    Args:
        networks: The model's networks.
        data: Covariates, and values of observed sites, where the model isn't built.
        print_fn: Function that prints a line; `print` by default.
    """
    structure = find_structure(networks, data)
    p = _read(networks.run_generative, example_data(networks, data))
    q = _read_inference(networks, p)
    latents = None if q is None or q.trace is None else latents_of(q.trace)
    observed = observed_sites(networks, data, latents)
    runs = {"p": p} if q is None else {"p": p, "q": q}
    summed = _summed_out(networks, p, latents, data)
    lines = [_title(networks), "", f"Generative network p: {_signature(networks.generative)}"]
    if observed is None:
        lines += _site_table(networks, structure, p, _SITE_COLUMNS[:-1])
    else:
        lines += _site_table(networks, structure, p, _SITE_COLUMNS, observed - {*summed}, summed)
    lines += ["", *_inference_lines(networks, q)]
    if summed:
        lines += [f"Summed out exactly, having finitely many values: {names(summed)}."]
    lines += [*_layer_lines(networks.host, runs), *_totals(networks.host, runs)]
    for line in lines:
        print_fn(line)


@dataclass
class _NetworkRun:
    # A run of a network, and the variables that it read; no trace while it can't run.
    trace: Trace | None
    variables: dict[int, keras.Variable]
    data: Data
    lacking: str = ""

    def count(self, layer: keras.layers.Layer) -> int:
        return sum(_size(v) for v in layer.weights if id(v) in self.variables)


def _read(run: Callable[[dict, object], Trace], data: Data) -> _NetworkRun:
    def once(few: Data) -> Trace:
        return run(batch_of(few), random.seed(0))

    _, few = on_first_rows(once, data)  # makes the variables that aren't there yet
    with VariableReads() as scope:
        trace = once(few)
    return _NetworkRun(trace, scope.variables, few)


def _read_inference(networks: Networks, p: _NetworkRun) -> _NetworkRun | None:
    inference = networks.inference
    if inference is None or (isinstance(inference, Guide) and not inference.built):
        return None
    sites = {} if p.trace is None else p.trace.sites
    data = with_site_values(p.data, networks.inference_arguments, sites)
    given = {*data.rows, *data.whole}
    missing = [name for name, required in networks.inference_arguments.items() if required and name not in given]
    if missing:
        return _NetworkRun(None, {}, data, names(missing))
    return _read(networks.run_inference, data)


def _summed_out(networks: Networks, p: _NetworkRun, latents: Sequence[str] | None, data: Mapping | None) -> list[str]:
    # While the model isn't built these are the discrete latents that neither the data nor q has.
    if networks.spec is not None:
        return list(networks.spec.summed)
    if p.trace is None or not data or (latents is None and _guide(networks) is None):
        return []
    sites = p.trace.random_sites(observed=False)
    return [s.name for s in sites if s.name not in (latents or ()) and s.name not in (data or {}) and enumerable(s)]


def _title(networks: Networks) -> str:
    model, spec = networks.host, networks.spec
    if spec is None:
        state = "not built yet"
    else:
        state = "built" if spec.num_data is None else f"built for {spec.num_data:,} rows"
    return f'Model "{model.name}" ({type(model).__name__}), {state}'


def _inference_lines(networks: Networks, q: _NetworkRun | None) -> list[str]:
    guide = _guide(networks)
    if guide is None:
        title = f"Inference network q: {_signature(networks.require_handwritten())}"
    else:
        kind = "the automatic guide" if networks.guide_is_automatic else "the guide"
        module = "kprob.guides." if type(guide).__module__.startswith("kprob.") else ""
        title = f"Inference network q: {kind} {module}{type(guide).__name__}"
    if q is None:
        return [title, "Its latents are the sites that the data doesn't give: they are known once the model is built."]
    if q.trace is None:
        return [title, f"Its sites are known once there is data for {q.lacking}: summary(data)."]
    # A guide's latents may share their parameters: only the guide itself has a number of them.
    columns = _SITE_COLUMNS[:4] if guide else _SITE_COLUMNS[:5]
    return [title, *_site_table(networks, structure_of(q.trace), q, columns)]


def _site_table(
    networks: Networks,
    structure: Structure,
    network: _NetworkRun,
    columns: Sequence[str],
    observed: Iterable[str] = (),
    summed: Iterable[str] = (),
) -> list[str]:
    rows = []
    for site in structure.sites.values():
        role = "" if not site.is_random else _role(site.name, observed, summed)
        shapes = [str(site.event_shape), _plates(site, networks.spec)]
        row = [site.name, site.family, *shapes, _weights(networks, site, network), role]
        rows.append(row[: len(columns)])
    return _table(columns, rows)


def _guide(networks: Networks) -> Guide | None:
    # The guide that is q, or will be.
    return networks.host.default_guide() if networks.inference is None else networks.guide


def _signature(network: Callable) -> str:
    # How a network is called: `generative(features)`.
    return f"{getattr(network, '__name__', 'network')}({', '.join(inspect.signature(network).parameters)})"


def _role(name: str, observed: Iterable[str], summed: Iterable[str]) -> str:
    return "observed" if name in observed else "summed out" if name in summed else "latent"


def _weights(networks: Networks, site: SiteInfo, network: _NetworkRun) -> str:
    if site.is_param:
        return f"{_size(networks.parameters.variables[site.name]):,}"
    layers = [layer for layer in networks.host._flatten_layers() if isinstance(layer, RandomVariable)]
    return f"{sum(network.count(layer) for layer in layers if layer.site_name == site.name):,}"


def _plates(site: SiteInfo, spec: Spec | None) -> str:
    if not site.plates:
        return "-"
    number = None if spec is None else spec.num_data
    sizes = [(name, number if size is None else size) for name, size in site.plates]
    return ", ".join(name if size is None else f"{name} ({size:,})" for name, size in sizes)


def _layer_lines(model: keras.Model, networks: dict[str, _NetworkRun]) -> list[str]:
    rows = []
    for name, layer in named_layers(model).items():
        used = [key for key, network in networks.items() if network.count(layer)]
        if layer.weights:
            rows.append([name, type(layer).__name__, ", ".join(used) or "none", f"{_total(layer.weights):,}"])
        elif not layer.built and not isinstance(layer, RandomVariable):
            rows.append([name, type(layer).__name__, "-", "not built"])
    return ["", *_table(["Layer", "Class", "Network", "Parameters"], rows)] if rows else []


def _totals(model: keras.Model, networks: dict[str, _NetworkRun]) -> list[str]:
    own = {id(v) for v in model.weights}
    shares = []
    for key, network in networks.items():
        shares.append(f"{_total(v for i, v in network.variables.items() if i in own):,} in {key}")
    return [
        "",
        f"Total parameters: {_amount(model.weights)}; {', '.join(shares)}",
        f"Trainable parameters: {_amount(model.trainable_weights)}",
        f"Non-trainable parameters: {_amount(model.non_trainable_weights)}",
    ]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Returns the lines of a table with aligned columns, numbers to the right; what is too long is cut."""
    cells = [header, *rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    while sum(widths) + len(_GAP) * (len(widths) - 1) > WIDTH:
        widths[widths.index(max(widths))] -= 1
    lines = []
    for row in cells:
        parts = [_fitted(*part) for part in zip(row, widths, header, strict=True)]
        lines.append(_GAP.join(parts).rstrip())
    rule = "-" * (sum(widths) + len(_GAP) * (len(widths) - 1))
    return [rule, lines[0], rule, *lines[1:]]


def _fitted(text: str, width: int, title: str) -> str:
    text = text if len(text) <= width else text[: width - 3] + "..."
    return text.rjust(width) if title == "Parameters" else text.ljust(width)


def _size(variable: Any) -> int:
    return int(np.prod(variable.shape, dtype=int))


def _total(variables: Iterable) -> int:
    return sum(_size(v) for v in variables)


def _amount(variables: Iterable) -> str:
    size = float(sum(_size(v) * np.dtype(_SAME_SIZE.get(v.dtype, v.dtype)).itemsize for v in variables))
    units = ["bytes", "KB", "MB", "GB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1024, units[1:]
    return f"{_total(variables):,} ({size:.4g} {units[0]})"
