"""What a model is made of, for those who show it: layers by the user's names, the networks, what is observed."""

import inspect
from collections.abc import Mapping

import keras
import numpy as np

from kprob.data import Data
from kprob.effects import Trace
from kprob.engine import FEW_ROWS
from kprob.guides import Guide


def example_data(model, data: Mapping | None = None) -> Data:
    """Returns data on which both networks can run, however little is known.

    Args:
        model: The model.
        data: What the user gives, or nothing.

    Returns:
        The user's data; else ones in place of the covariates that the model was built on. Sites that an inference
        network takes aren't there: they can be drawn from the prior.
    """
    structure = model.structure(data)
    spec = model.__dict__["_spec"]
    number = FEW_ROWS if spec is None or spec.num_data is None else min(FEW_ROWS, spec.num_data)
    if data:
        found = model.prepare_data(data)
    elif spec is not None:
        sites = structure.sites
        rows = {n: np.ones((number, *shape), dtype) for n, (shape, dtype) in spec.rows.items() if n not in sites}
        whole = {n: np.ones(shape, dtype) for n, (shape, dtype) in spec.whole.items() if n not in sites}
        found = Data(rows, whole)
    else:
        found = Data()
    if found.num_rows is None and structure.has_data_plate:
        found = Data(found.rows, found.whole, number)
    return found


def fitted_rows(model) -> int | None:
    """Returns the rows of the data set that a model was built on, or None where it has none or isn't built."""
    spec = model.__dict__["_spec"]
    return None if spec is None else spec.num_data


def named_layers(model: keras.Model) -> dict[str, keras.layers.Layer]:
    """Returns the layers that belong to a model directly, random variables among them, by attribute."""
    found: dict[str, keras.layers.Layer] = {}
    attributes = [(key, value) for key, value in vars(model).items() if not key.startswith("_") and key != "modules"]
    # Networks that a function was given, or that it named itself, have the names that it knows them by.
    for attribute, value in [*model.modules.items(), *attributes]:
        for name, layer in _layers_in(attribute, value):
            if not _is_in(layer, found):
                found[name] = layer
    for layer in model.layers:
        if not _is_in(layer, found):
            found[layer.name] = layer
    return found


def observed_sites(model, data: Mapping | None, latents) -> set[str] | None:
    """Returns which sites are observed, or None while that can't be known.

    Args:
        model: The model.
        data: What the user gives, or nothing.
        latents: Sites of the inference network, or None where that isn't known yet.
    """
    spec = model.__dict__["_spec"]
    random_sites = model.structure(data).random_sites()
    if spec is not None:
        latents = spec.unobserved
    if latents is not None:
        return {name for name in random_sites if name not in latents}
    given = {name for name in random_sites if name in (data or {})}
    return given or None


def latents_of(trace: Trace) -> list[str]:
    """Returns the latents that a run of an inference network declared: all but what the data gives."""
    return [site.name for site in trace.random_sites() if not site.intervened]


def guide_of(model) -> Guide | None:
    """Returns the guide that is a model's inference network, or will be; None where there is a handwritten one."""
    inference = model.networks.inference
    return model.default_guide() if inference is None else inference if isinstance(inference, Guide) else None


def is_automatic(model) -> bool:
    """Whether the guide of a model stands in for an inference network that nobody gave."""
    return guide_of(model) is not None and not isinstance(model.__dict__["_inference_given"], Guide)


def signature_of(network) -> str:
    """Returns how a network is called: `generative(features)`."""
    return f"{getattr(network, '__name__', 'network')}({', '.join(inspect.signature(network).parameters)})"


def _is_in(layer: keras.layers.Layer, found: Mapping) -> bool:
    return any(layer is other for other in found.values())


def _layers_in(attribute: str, value):
    if isinstance(value, keras.layers.Layer):
        yield attribute, value
    elif isinstance(value, list | tuple):
        yield from ((f"{attribute}_{i}", v) for i, v in enumerate(value) if isinstance(v, keras.layers.Layer))
    elif isinstance(value, Mapping):
        yield from ((f"{attribute}_{k}", v) for k, v in value.items() if isinstance(v, keras.layers.Layer))
