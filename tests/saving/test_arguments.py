"""Constructor arguments come back as they were."""

import collections
import datetime
import decimal
import enum
import fractions
import functools
import json
import math
import pathlib
import types
import uuid
import zoneinfo
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
import pytest
from saving.saved_models import networks, slope

import kprob
from kprob import tfd
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


@dataclass
class Setting:
    """Something that can't be written down."""

    value: int


Point = collections.namedtuple("Point", "x y")


class Kind(enum.Enum):
    A = 1


class Number(enum.IntEnum):
    A = 1


class HasConfig:
    """A config, and no way back from it."""

    def get_config(self):
        return {}


def module_function(x):
    return x


STANDARD = [
    1 + 2j,
    b"\xff\x00",
    bytearray(b"ab"),
    {3, 1, (1, 2)},
    frozenset("ab"),
    [{frozenset({1})}],
    range(1, 10, 2),
    (slice(1, None), ...),
    np.dtype("float32"),
    np.dtype("<M8[ns]"),
    np.float32(0.1),
    np.float64(0.1),
    np.int64(3),
    np.bool_(True),
    np.str_("a"),
    np.datetime64("2020-01-01"),
    pathlib.Path("/a/b"),
    pathlib.PureWindowsPath("c:/a"),
    decimal.Decimal("0.10"),
    fractions.Fraction(1, 3),
    uuid.UUID(int=3),
    datetime.date(2020, 1, 2),
    datetime.datetime(2020, 1, 2, 3, 4, 5, 6),
    datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
    datetime.time(1, 2, 3),
    datetime.timedelta(days=-1, microseconds=3),
    collections.OrderedDict([("b", 1), ("a", (2,))]),
    collections.Counter("aab"),
    collections.deque([1, (2,)], maxlen=3),
    types.MappingProxyType({"a": (1,)}),
    {1: "a", "1": "b"},
    {None: 1, True: 2, 2.5: 3},
    10**1000,
    -0.0,
    "\ud800\x00",
    {"path": pathlib.Path("a"), "sizes": ({1}, [b"b"])},
]


@pytest.mark.once
@pytest.mark.parametrize("value", STANDARD, ids=lambda value: type(value).__name__)
def test_pythons_and_numpys_own_types(value):
    again = decode(json.loads(json.dumps(encode(value))))
    assert again == value
    assert type(again) is type(value)


ARRAYS = {
    "no axis": np.array(1.5),
    "nothing": np.zeros((0, 3)),
    "complex": np.array([1j, 2]),
    "texts": np.array(["a", "bc"]),
    "days": np.array(["2020-01-01"], "M8[D]"),
    "long": np.array([1 / 3], np.longdouble),
    "short": np.array([0.1], "float16"),
    "other bytes": np.array([0.1, 2], ">f8"),
    "large": np.array([2**64 - 1], "uint64"),
    "not a number": np.array([np.nan, np.inf, -0.0]),
    "transposed": np.arange(6.0).reshape(2, 3).T,
}


@pytest.mark.once
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_of_any_type_and_shape(name):
    again = decode(json.loads(json.dumps(encode(ARRAYS[name]))))
    assert again.dtype == ARRAYS[name].dtype and again.shape == ARRAYS[name].shape
    np.testing.assert_array_equal(again, ARRAYS[name])


@pytest.mark.parametrize("value", [1.5, np.zeros((0, 3), "float32"), np.array([1j], "complex64")], ids=str)
def test_tensors_of_any_type_and_shape(value):
    given = keras.ops.convert_to_tensor(value)
    again = decode(json.loads(json.dumps(encode(given))))
    assert type(again) is type(given) and again.dtype == given.dtype and again.shape == given.shape
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(again), value)


CONTAINS_ITSELF = [1]
CONTAINS_ITSELF.append(CONTAINS_ITSELF)

# What can't be written down, and how to mend it.
MENDS = [
    (int, 'give its name, "int", and look the class up in the constructor'),
    (np.float32, 'give its name, "float32"'),
    (Setting, 'give its name, "Setting"'),
    (math, 'import it in the constructor, or give its name, "math"'),
    (Point(1, 2), r"give a plain tuple, tuple\(...\), or a dict, value._asdict\(\)"),
    (Setting(1), r"give a dict, dataclasses.asdict\(...\)"),
    (Kind.A, "give its value, 1, and make the Kind in the constructor"),
    (Number.A, "give its value, 1, and make the Number in the constructor"),
    (math.exp, "write a function with `def` that calls it"),
    (np.exp, "write a function with `def` that calls it"),
    (functools.partial(module_function, 1), "write a function with `def` that calls it"),
    ("a".upper, "write a function with `def` that calls it"),
    (keras.losses.MeanSquaredError().get_config, "write a function with `def` that calls it"),
    (pd.Series([1, 2]), r"give its numbers, value.to_numpy\(\)"),
    (pd.DataFrame({"a": [1]}), r"give its numbers, value.to_numpy\(\)"),
    (np.ma.array([1, 2], mask=[0, 1]), "give the numbers and the mask apart"),
    (np.array([1, "a"], dtype=object), "give an array of plain numbers"),
    (np.zeros(2, [("a", "f4")]), "give an array of plain numbers"),
    (collections.defaultdict(int, a=1), r"give a plain dict, dict\(...\)"),
    (collections.ChainMap({"a": 1}), r"give a plain dict, dict\(...\)"),
    (type("Text", (str,), {})("a"), r"give a plain str, str\(...\)"),
    (iter([1]), r"give a list, list\(...\)"),
    (np.random.default_rng(0), "give a seed, and make the generator in the constructor"),
    (10**6000, r"give it as a text, str\(...\)"),
    (tfd.Normal(0.0, 1.0), "give what it is made from, or override get_config"),
    (HasConfig(), "give what it is made from, or override get_config"),
    (keras.Variable([1.0]), "make it in the constructor|give what it is made from"),
    (datetime.datetime(2020, 1, 1, tzinfo=zoneinfo.ZoneInfo("UTC")), "give what it is made from"),
    (CONTAINS_ITSELF, "give something plainer"),
]


@pytest.mark.parametrize(("value", "mend"), MENDS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("inside", [lambda value: value, lambda value: {"a": [(value,)]}], ids=["alone", "inside"])
def test_what_can_t_be_written_down_says_how_to_mend_it(inside, value, mend):
    with pytest.raises(ArchiveError, match=rf"(?s)argument `a` of M can't be written down.*Fix: .*{mend}"):
        encode(inside(value), "argument `a` of M")


def test_ragged_tensors():
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with pytest.raises(ArchiveError, match="a RaggedTensor\n"):
            encode(tf.ragged.constant([[1], [2, 3]]))


def test_functions_of_keras():
    for function in (keras.ops.linalg.norm, keras.activations.softplus, keras.ops.relu):
        assert decode(json.loads(json.dumps(encode(function)))) is function
    for function in (
        keras.losses.mean_squared_error,
        keras.random.normal,
        keras.utils.to_categorical,
        keras.ops.image.resize,
    ):
        try:
            written = encode(function)
        except ArchiveError as error:
            assert "a function that Keras doesn't find again" in str(error)
        else:
            assert decode(json.loads(json.dumps(written))) is function


def scaled(number):
    def scale(x):
        return number * x

    return scale


def test_two_functions_of_one_name():
    with pytest.raises(ArchiveError, match="two functions among its constructor's arguments have one name.\n.*`scale`"):
        Nameless(scaled(1.0), [scaled(2.0)]).get_config()
    one = scaled(1.0)
    assert Nameless(one, (one,)).get_config()["size"]["config"] == "scale"


def test_what_the_constructor_takes_away_is_written_down_too():
    class Greedy(kprob.ProbabilisticModel):
        def __init__(self, sizes, names, **kwargs):
            super().__init__(**kwargs)
            self.first = sizes.pop(0)
            names["a"].clear()

    assert Greedy([1, 2], {"a": [3]}, name="g").get_config() == {"sizes": [1, 2], "names": {"a": [3]}, "name": "g"}


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
