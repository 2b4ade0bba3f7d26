"""The table that `model.summary()` prints: sites, families, shapes, plates and parameters of p and of q."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from kprob.backend import random
from kprob.effects import Trace
from kprob.engine import Data, SiteInfo, Structure, batch_of
from kprob.engine.dependencies import PROBE_ROWS
from kprob.engine.structure import structure_of
from kprob.errors import DataError
from kprob.layers import RandomVariable
from kprob.models.anatomy import example_data, guide_of, is_automatic, named_layers, observed_sites, signature_of

WIDTH = 100
_MAX_CELL = 36
_GAP = "   "


def print_summary(model, structure: Structure, print_fn: Callable[[str], object], data: Mapping | None = None) -> None:
    """Prints what a model is made of.

    Both networks run on a few rows, so that layers which weren't built are.

    Args:
        model: The model.
        structure: Sites of its generative network.
        print_fn: Prints a line.
        data: Covariates, and values of observed sites, where the model isn't built.
    """
    found = example_data(model, data)
    p = _read_generative(model, found)
    q = _read_inference(model, _few(found), p)
    latents = None if q is None or q.trace is None else [s.name for s in q.trace.random_sites() if not s.intervened]
    observed = observed_sites(model, data, latents)
    lines = [_title(model), "", f"Generative network p: {signature_of(model.generative)}"]
    lines += _site_table(model, structure, p, observed)
    lines += ["", *_inference_lines(model, q, observed), "", *_layer_lines(model, p, q)]
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
    # A run of a network, and the variables that it read; no trace where the network can't be run yet.
    trace: Trace | None
    variables: dict[int, keras.Variable]
    lacking: str = ""

    def reads(self, variable: keras.Variable) -> bool:
        return id(variable) in self.variables


def _few(data: Data) -> Data:
    return data if data.num_rows is None else data.take(slice(0, PROBE_ROWS))


def _read(run: Callable[[], Trace]) -> _Network:
    run()  # makes the variables that aren't there yet
    with Reading() as scope:
        trace = run()
    return _Network(trace, scope.variables)
