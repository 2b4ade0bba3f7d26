"""The table that `model.summary()` prints: sites, families, shapes, plates and parameters of p and of q."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from kprob.backend import random
from kprob.data import Data, batch_of
from kprob.effects import Trace
from kprob.engine import SiteInfo, Structure, completed, on_few_rows
from kprob.engine.enumeration import enumerable
from kprob.engine.probing.structure import structure_of
from kprob.errors import names
from kprob.guides import Guide
from kprob.layers import RandomVariable
from kprob.models.anatomy import (
    example_data,
    guide_of,
    is_automatic,
    latents_of,
    named_layers,
    observed_sites,
    signature_of,
)

WIDTH = 100
_GAP = "   "
_SITE_COLUMNS = ("Site", "Family", "Event shape", "Plates", "Parameters", "Role")
# For types that NumPy lacks, ones as long.
_SAME_SIZE = {"bfloat16": "float16", "float8_e4m3fn": "int8", "float8_e5m2": "int8", "int4": "int8", "uint4": "int8"}


def print_summary(model, structure: Structure, print_fn: Callable[[str], object], data: Mapping | None = None) -> None:
    """Prints what a model is made of.

    Both networks run on a few rows, so that layers which weren't built are.

    Args:
        model: The model.
        structure: Sites of its generative network.
        print_fn: Prints a line.
        data: Covariates, and values of observed sites, where the model isn't built.
    """
    p = _read(model.networks.run_generative, example_data(model, data))
    q = _read_inference(model, p)
    latents = None if q is None or q.trace is None else latents_of(q.trace)
    observed = observed_sites(model, data, latents)
    networks = {"p": p} if q is None else {"p": p, "q": q}
    summed = _summed_out(model, p, latents, data)
    lines = [_title(model), "", f"Generative network p: {signature_of(model.generative)}"]
    if observed is None:
        lines += _site_table(model, structure, p, _SITE_COLUMNS[:-1])
    else:
        lines += _site_table(model, structure, p, _SITE_COLUMNS, observed - {*summed}, summed)
    lines += ["", *_inference_lines(model, q)]
    if summed:
        lines += [f"Summed out exactly, having finitely many values: {names(summed)}."]
    lines += [*_layer_lines(model, networks), *_totals(model, networks)]
    for line in lines:
        print_fn(line)


class Reading(keras.StatelessScope):
    """Notes which variables are read; updates are dropped."""

    def __init__(self):
        super().__init__()
        self.variables: dict[int, keras.Variable] = {}

    def get_current_value(self, variable: keras.Variable):
        self.variables[id(variable)] = variable
        return super().get_current_value(variable)


@dataclass
class _Network:
    # A run of a network, and the variables that it read; no trace while it can't run.
    trace: Trace | None
    variables: dict[int, keras.Variable]
    data: Data
    lacking: str = ""

    def count(self, layer: keras.layers.Layer) -> int:
        return sum(_size(v) for v in layer.weights if id(v) in self.variables)


def _read(run: Callable[[dict, object], Trace], data: Data) -> _Network:
    def once(few: Data) -> Trace:
        return run(batch_of(few), random.seed(0))

    _, few = on_few_rows(once, data)  # makes the variables that aren't there yet
    with Reading() as scope:
        trace = once(few)
    return _Network(trace, scope.variables, few)


def _read_inference(model, p: _Network) -> _Network | None:
    networks = model.networks
    inference = networks.inference
    if inference is None or (isinstance(inference, Guide) and not inference.built):
        return None
    sites = {} if p.trace is None else p.trace.sites
    data = completed(p.data, networks.inference_arguments, sites)
    given = {*data.rows, *data.whole}
    missing = [name for name, required in networks.inference_arguments.items() if required and name not in given]
    if missing:
        return _Network(None, {}, data, names(missing))
    return _read(networks.run_inference, data)


def _summed_out(model, p: _Network, latents: Sequence[str] | None, data: Mapping | None) -> list[str]:
    # While the model isn't built these are the discrete latents that neither the data nor q has.
    spec = model.__dict__["_spec"]
    if spec is not None:
        return list(spec.summed)
    if p.trace is None or not data or (latents is None and guide_of(model) is None):
        return []
    sites = p.trace.random_sites(observed=False)
    return [s.name for s in sites if s.name not in (latents or ()) and s.name not in (data or {}) and enumerable(s)]


def _title(model) -> str:
    spec = model.__dict__["_spec"]
    if spec is None:
        state = "not built yet"
    else:
        state = "built" if spec.num_data is None else f"built for {spec.num_data:,} rows"
    return f'Model "{model.name}" ({type(model).__name__}), {state}'


def _inference_lines(model, q: _Network | None) -> list[str]:
    guide = guide_of(model)
    if guide is None:
        title = f"Inference network q: {signature_of(model.networks.inference)}"
    else:
        kind = "the automatic guide" if is_automatic(model) else "the guide"
        module = "kprob.guides." if type(guide).__module__.startswith("kprob.") else ""
        title = f"Inference network q: {kind} {module}{type(guide).__name__}"
    if q is None:
        return [title, "Its latents are the sites that the data doesn't give: they are known once the model is built."]
    if q.trace is None:
        return [title, f"Its sites are known once there is data for {q.lacking}: summary(data)."]
    # A guide's latents may share their parameters: only the guide itself has a number of them.
    columns = _SITE_COLUMNS[:4] if guide else _SITE_COLUMNS[:5]
    return [title, *_site_table(model, structure_of(q.trace), q, columns)]


def _site_table(
    model, structure: Structure, network: _Network, columns: Sequence[str], observed=(), summed=()
) -> list[str]:
    spec = model.__dict__["_spec"]
    rows = []
    for site in structure.sites.values():
        role = "" if not site.is_random else _role(site.name, observed, summed)
        shapes = [str(site.event_shape), _plates(site, spec)]
        row = [site.name, site.family, *shapes, _weights(model, site, network), role]
        rows.append(row[: len(columns)])
    return _table(columns, rows)


def _role(name: str, observed, summed) -> str:
    return "observed" if name in observed else "summed out" if name in summed else "latent"


def _weights(model, site: SiteInfo, network: _Network) -> str:
    if site.is_param:
        return f"{_size(model.__dict__['_named_parameters'][site.name]):,}"
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, RandomVariable)]
    return f"{sum(network.count(layer) for layer in layers if layer.site_name == site.name):,}"


def _plates(site: SiteInfo, spec) -> str:
    if not site.plates:
        return "-"
    number = None if spec is None else spec.num_data
    sizes = [(name, number if size is None else size) for name, size in site.plates]
    return ", ".join(name if size is None else f"{name} ({size:,})" for name, size in sizes)


def _layer_lines(model, networks: dict[str, _Network]) -> list[str]:
    rows = []
    for name, layer in named_layers(model).items():
        used = [key for key, network in networks.items() if network.count(layer)]
        if layer.weights:
            rows.append([name, type(layer).__name__, ", ".join(used) or "none", f"{_total(layer.weights):,}"])
        elif not layer.built and not isinstance(layer, RandomVariable):
            rows.append([name, type(layer).__name__, "-", "not built"])
    return ["", *_table(["Layer", "Class", "Network", "Parameters"], rows)] if rows else []


def _totals(model, networks: dict[str, _Network]) -> list[str]:
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


def _size(variable) -> int:
    return int(np.prod(variable.shape, dtype=int))


def _total(variables) -> int:
    return sum(_size(v) for v in variables)


def _amount(variables) -> str:
    size = float(sum(_size(v) * np.dtype(_SAME_SIZE.get(v.dtype, v.dtype)).itemsize for v in variables))
    units = ["bytes", "KB", "MB", "GB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1024, units[1:]
    return f"{_total(variables):,} ({size:.4g} {units[0]})"
