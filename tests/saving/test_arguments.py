"""Constructor arguments come back as they were."""

import json
from dataclasses import dataclass

import keras
import numpy as np
import pytest
from saving.saved_models import networks, slope

import kprob
from kprob.errors import ArchiveError
from kprob.saving import decode, encode

VALUES = [
    3,
    -0.1,
    True,
    None,
    "text",
    [1, [2.5]],
    (1, 2),
    ((1,), [(2, "a")]),
    {"a": 1, "b": (2, 3)},
    {0: "zero", (1, 2): "pair"},
    {"class_name": "mine", "config": 1},
    float("inf"),
]


@pytest.mark.once
@pytest.mark.parametrize("value", VALUES, ids=str)
def test_plain_values(value):
    again = decode(json.loads(json.dumps(encode(value))))
    assert again == value
    assert type(again) is type(value)


def test_arrays_and_tensors():
    value = np.random.default_rng(0).normal(size=(2, 3)).astype("float32")
    for given in (value, keras.ops.convert_to_tensor(value)):
        again = decode(json.loads(json.dumps(encode(given))))
        assert keras.backend.standardize_dtype(again.dtype) == "float32"
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(again), value)


def test_functions():
    with keras.saving.CustomObjectScope({"slope": slope}):
        assert decode(encode(slope)) is slope
    for function in (keras.ops.tanh, keras.activations.gelu):
        assert decode(json.loads(json.dumps(encode(function)))) is function


def test_keras_objects():
    value = {"layer": keras.layers.Dense(3, name="mine"), "start": (keras.initializers.Constant(2.0),)}
    again = decode(json.loads(json.dumps(encode(value))))
    assert again["layer"].get_config() == value["layer"].get_config()
    assert again["start"][0].value == 2.0


@dataclass
class Setting:
    """Something that can't be written down."""

    value: int


@pytest.mark.parametrize("value", [Setting(1), [Setting(1)], {"a": Setting(1)}, keras.layers.Dense])
def test_other_objects(value):
    with pytest.raises(ArchiveError, match="A model can't be saved: argument `a` of M can't be written down"):
        encode(value, "argument `a` of M")


def test_a_lambda():
    with pytest.raises(ArchiveError, match="a lambda: .*\n.*\n.*write it as a function with `def`"):
        encode(lambda x: x)
    model = kprob.ProbabilisticModel(generative=lambda: None)
    with pytest.raises(ArchiveError, match="argument `generative` of ProbabilisticModel can't be written down"):
        model.get_config()


class Positional(kprob.ProbabilisticModel):
    """A constructor whose arguments have no names."""

    def __init__(self, *sizes):
        super().__init__()
        self.sizes = sizes


class Own(kprob.ProbabilisticModel):
    """A config of the user's own."""

    def __init__(self, setting, size=2, **kwargs):
        super().__init__(**kwargs)
        self.setting, self.size = setting, size

    def get_config(self):
        return {**super().get_config(), "setting": self.setting.value}

    @classmethod
    def from_config(cls, config):
        return super().from_config({**config, "setting": Setting(config["setting"])})


class Nameless(kprob.ProbabilisticModel):
    """A constructor that doesn't take Keras's arguments."""

    def __init__(self, size, scale=(1.0, 2.0), policy=keras.ops.relu):
        super().__init__()
        self.size, self.scale, self.policy = size, scale, policy


def test_arguments_without_names():
    with pytest.raises(ArchiveError, match="`Positional` can't be saved: `sizes` of its constructor has no name"):
        Positional(1, 2).get_config()
    assert Positional().get_config() == {}


def test_a_config_of_the_users_own():
    again = Own.from_config(json.loads(json.dumps(Own(Setting(5), size=3).get_config())))
    assert (again.setting, again.size) == (Setting(5), 3)


def test_a_constructor_without_a_name():
    model = Nameless(3)
    assert model.get_config() == {"size": 3}
    again = Nameless.from_config(json.loads(json.dumps(model.get_config())))
    assert (again.size, again.scale, again.policy) == (3, (1.0, 2.0), keras.ops.relu)
    again = Nameless.from_config(json.loads(json.dumps(Nameless(3, (2, 3), keras.ops.tanh).get_config())))
    assert (again.size, again.scale, again.policy) == (3, (2, 3), keras.ops.tanh)


def test_python_says_what_is_wrong_with_a_call():
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'size'"):
        Nameless()


def test_a_layer_given_twice_is_one_after_loading(tmp_path):
    model = networks()
    with pytest.warns(UserWarning, match="not yet been built"):
        model.save(tmp_path / "m.h5")
    again = kprob.load_model(tmp_path / "m.h5")
    assert again.mean is again.pair[1]
    assert again.mean is not again.pair[0]
    assert type(again.pair) is type(model.pair)
