"""Names for the parts of a model that don't depend on the order in which they were made.

A layer's path is the attributes that lead to it, `decoder.layers[0]` or `heads[loc]`, and a variable's is its layer's and
its own name, `decoder.layers[0].kernel`. Keras itself numbers most layers in the order in which they are made.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import keras

# Where Keras keeps layers a second time, in an order of its own.
_KERAS_LISTS = frozenset({"_functional", "_layers", "_operations", "_operations_by_depth"})


def layers_of(model: keras.layers.Layer) -> dict[str, keras.layers.Layer]:
    """Returns a model's layers by path, itself under "", each once and every one before those inside it."""
    layers: dict[str, keras.layers.Layer] = {}
    seen: set[int] = set()

    def visit(path: str, layer: keras.layers.Layer) -> None:
        if id(layer) in seen:
            return
        seen.add(id(layer))
        layers[path] = layer
        for name, child in _children(layer):
            visit(f"{path}.{name}" if path else name, child)

    visit("", model)
    return layers


def variables_of(model: keras.layers.Layer) -> tuple[dict[str, keras.Variable], dict[str, keras.Variable]]:
    """Returns a model's weights and the states of its random number generators, by path."""
    layers = layers_of(model)
    own: dict[str, list[keras.Variable]] = {}
    seen: set[int] = set()
    # From the inside out: a layer lists the variables of the layers inside it too, and they are theirs.
    for path, layer in reversed(layers.items()):
        own[path] = [variable for variable in layer.variables if id(variable) not in seen]
        seen.update(id(variable) for variable in own[path])
    weight_ids = {id(variable) for variable in model.weights}
    weights: dict[str, keras.Variable] = {}
    seeds: dict[str, keras.Variable] = {}
    for path in layers:
        for variable in own[path]:
            table = weights if id(variable) in weight_ids else seeds
            table[_free_name(f"{path}.{variable.name}" if path else variable.name, table)] = variable
    return weights, seeds


def _children(layer: keras.layers.Layer) -> Iterator[tuple[str, keras.layers.Layer]]:
    attributes = {n: v for n, v in vars(layer).items() if n not in _KERAS_LISTS and not n.startswith("_self_")}
    for name, value in sorted(attributes.items(), key=lambda item: (item[0].startswith("_"), item[0])):
        yield from _layers_in(name, value)
    # What no attribute leads to, such as the layers of a Sequential model.
    yield from _layers_in("layers", layer.layers if isinstance(layer, keras.Model) else layer._layers)


def _layers_in(path: str, value: Any, inside: frozenset = frozenset()) -> Iterator[tuple[str, keras.layers.Layer]]:
    if isinstance(value, keras.layers.Layer):
        yield path, value
    elif isinstance(value, Mapping | list | tuple) and id(value) not in inside:
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, item in items:
            yield from _layers_in(f"{path}[{key}]", item, inside | {id(value)})


def _free_name(name: str, table: Mapping[str, object]) -> str:
    number, free = 1, name
    while free in table:
        number += 1
        free = f"{name}#{number}"
    return free
