"""The variables of a part of a model, by a name that the user knows: a layer's, a latent's, a parameter's."""

import keras

from kprob.errors import SiteError, did_you_mean, explain, names
from kprob.layers import RandomVariable
from kprob.models.anatomy import named_layers
from kprob.models.owner import owner_of


def part_named(model, name: str) -> tuple[list[keras.layers.Layer], list[keras.Variable]]:
    """Returns the layers of a part, and the variables of it that belong to no layer of its own.

    A name is that of an attribute that holds a layer ("decoder", "guide"), of a site, which stands for the random
    variables of that name and a guide's parameters of that latent, or of a `kprob.param`.

    Raises:
        SiteError: Nothing trainable has that name.
    """
    layers = named_layers(model)
    found = [layer for key, layer in layers.items() if key == name or _is_site(layer, name)]
    own = [model.__dict__["_named_parameters"][name]] if name in model.__dict__["_named_parameters"] else []
    guide = getattr(model, "guide", None)
    if guide is not None and name in guide.latents:
        own += [v for v in guide.variables if _latent_of(v, guide.latents) == name]
    if not own and not any(layer.variables for layer in found):
        _raise_unknown(model, name, layers, guide)
    return found, own


def variables_named(model, name: str) -> list[keras.Variable]:
    """Returns all variables of a part.

    Raises:
        SiteError: Nothing trainable has that name.
    """
    layers, own = part_named(model, name)
    return [*own, *(variable for layer in layers for variable in layer.variables)]


def _is_site(layer: keras.layers.Layer, name: str) -> bool:
    return isinstance(layer, RandomVariable) and layer.site_name == name


def _latent_of(variable: keras.Variable, latents) -> str | None:
    # A guide calls a latent's parameters after it, `w_loc`, and so the layers that make them: the longest name decides
    # between `w` and `w_b`.
    for part in reversed(variable.path.split("/")):
        owners = [name for name in latents if part == name or part.startswith(f"{name}_")]
        if owners:
            return max(owners, key=len)
    return None


def _raise_unknown(model, name: str, layers: dict, guide) -> None:
    known = [key for key, layer in layers.items() if layer.variables]
    known += [*model.__dict__["_named_parameters"]]
    if guide is not None:
        known += [latent for latent in guide.latents if any(_latent_of(v, [latent]) for v in guide.variables)]
    known = list(dict.fromkeys(known))
    if guide is not None and name in guide.latents:
        what = f"{type(guide).__name__} has no parameters of `{name}` alone: it keeps latents together."
    else:
        what = f"{owner_of(model)} has nothing to train by the name `{name}`.{did_you_mean(name, known)}"
    raise SiteError(
        explain(
            what,
            received=repr(name),
            expected=f"one of {names(known)}",
            fix="use the name of an attribute that holds a network, of a latent of the guide, or of a parameter",
        )
    )
