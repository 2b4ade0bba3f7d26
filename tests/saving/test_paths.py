"""Layers and variables are named by the attributes that lead to them."""

import keras
from saving.saved_models import make_built

from kprob.saving import layers_of, variables_of


def test_paths_of_layers():
    model, _, _ = make_built("containers")
    layers = layers_of(model)
    assert layers[""] is model
    assert layers["stack[1]"] is model.stack[1]
    assert layers["named[a]"] is model.named["a"]
    assert layers["_norm"] is model._norm
    assert layers["q[zs_1].heads[loc]"] is model.q["zs_1"].heads["loc"]
    assert len({id(layer) for layer in layers.values()}) == len(layers) == len(model._flatten_layers())


def test_paths_of_variables():
    model, _, _ = make_built("vae")
    weights, seeds = variables_of(model)
    assert list(weights)[:4] == [f"decoder.layers[{i}].{name}" for i in (0, 1) for name in ("kernel", "bias")]
    assert weights["decoder.layers[1].bias"] is model.decoder.layers[1].bias
    assert seeds["encoder.layers[1].seed_generator_state"] is model.encoder.layers[1].seed_generator.state
    assert seeds["seed_generator_state"] is model.seed_generator.state
    assert len(weights) == len(model.weights)
    assert len(weights) + len(seeds) == len(model.variables)


class Holder(keras.layers.Layer):
    """A layer with variables of one name, one layer by two names, and a list that holds itself."""

    def __init__(self):
        super().__init__()
        self.first = self.add_weight(name="w")
        self.second = self.add_weight(name="w")
        self.b = keras.layers.Dense(1)
        self.a = self.b
        self.b.build((None, 1))
        circle = [self.b]
        circle.append(circle)
        self.__dict__["circle"] = circle


def test_one_name_for_each():
    holder = Holder()
    assert list(layers_of(holder)) == ["", "a"]
    assert list(variables_of(holder)[0]) == ["w", "w#2", "a.kernel", "a.bias"]


def test_layers_of_functional_models():
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(2, name="one")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, name="two")(hidden))
    assert list(variables_of(model)[0]) == [f"layers[{i}].{name}" for i in (1, 2) for name in ("kernel", "bias")]
