"""The parts of a model by names that the user knows: its layers by attribute, and what of them can be trained."""

from collections.abc import Iterator, Mapping
from typing import Any

import keras

from kprob.engine import Networks
from kprob.errors import SiteError, did_you_mean, explain, names
from kprob.guides import Guide
from kprob.layers import RandomVariable


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


def part_named(networks: Networks, name: str) -> tuple[list[keras.layers.Layer], list[keras.Variable]]:
    """Returns the layers of a part, and the variables of it that belong to no layer of its own.

    A name is that of an attribute that holds a layer ("decoder", "guide"), of a site, which stands for the random
    variables of that name and a guide's parameters of that latent, or of a `kprob.param`.

    Raises:
        SiteError: Nothing trainable has that name.
    """
    layers, parameters, guide = named_layers(networks.host), networks.parameters.variables, networks.guide
    layers_named = [layer for key, layer in layers.items() if key == name or _is_site(layer, name)]
    own = [parameters[name]] if name in parameters else []
    if guide is not None and name in guide.latents:
        own += [v for v in guide.variables if _latent_of(v, guide.latents) == name]
    if not own and not any(layer.variables for layer in layers_named):
        _raise_unknown(networks, name, layers, guide)
    return layers_named, own


def variables_named(networks: Networks, name: str) -> list[keras.Variable]:
    """Returns all variables of a part.

    Raises:
        SiteError: Nothing trainable has that name.
    """
    layers, own = part_named(networks, name)
    return [*own, *(variable for layer in layers for variable in layer.variables)]


def _is_site(layer: keras.layers.Layer, name: str) -> bool:
    return isinstance(layer, RandomVariable) and layer.site_name == name


def _latent_of(variable: keras.Variable, latents: Any) -> str | None:
    # A guide calls a latent's parameters after it, `w_loc`, and so the layers that make them: the longest name decides
    # between `w` and `w_b`.
    for part in reversed(variable.path.split("/")):
        owners = [name for name in latents if part == name or part.startswith(f"{name}_")]
        if owners:
            return max(owners, key=len)
    return None


def _raise_unknown(networks: Networks, name: str, layers: dict, guide: Guide | None) -> None:
    known = [key for key, layer in layers.items() if layer.variables]
    known += [*networks.parameters.variables]
    if guide is not None:
        known += [latent for latent in guide.latents if any(_latent_of(v, [latent]) for v in guide.variables)]
    known = list(dict.fromkeys(known))
    if guide is not None and name in guide.latents:
        what = f"{type(guide).__name__} has no parameters of `{name}` alone: it keeps latents together."
    else:
        what = f"{networks.model_name} has nothing to train by the name `{name}`.{did_you_mean(name, known)}"
    raise SiteError(
        explain(
            what,
            received=repr(name),
            expected=f"one of {names(known)}",
            fix="use the name of an attribute that holds a network, of a latent of the guide, or of a parameter",
        )
    )


def _is_in(layer: keras.layers.Layer, found: Mapping) -> bool:
    return any(layer is other for other in found.values())


def _layers_in(attribute: str, value: Any) -> Iterator[tuple[str, keras.layers.Layer]]:
    if isinstance(value, keras.layers.Layer):
        yield attribute, value
    elif isinstance(value, list | tuple):
        yield from ((f"{attribute}_{i}", v) for i, v in enumerate(value) if isinstance(v, keras.layers.Layer))
    elif isinstance(value, Mapping):
        yield from ((f"{attribute}_{k}", v) for k, v in value.items() if isinstance(v, keras.layers.Layer))
