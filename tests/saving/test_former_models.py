"""Models that were saved before the modules moved come back: their files name `kprob.mcmc>NUTS` and the like.

`former/expectations.json` has what the kprob that saved them answered after loading them, on each backend.
"""

import json
import re
from pathlib import Path

import keras
import numpy as np
import pytest
from saving.former_models import FUNCTIONS, MODELS, answers, goes_on, options_of

import kprob
from kprob.saving.names import find_objects

FORMER = Path(__file__).parent / "former"
# Files are the same on every backend; the draws asked of them aren't.
EXPECTED = json.loads((FORMER / "expectations.json").read_text(encoding="utf-8")).get(keras.backend.backend(), {})
REGISTERED = json.loads((FORMER / "registered.json").read_text(encoding="utf-8"))


def assert_close(found, expected, rtol, where):
    """Asserts that two trees of names and numbers are the same, numbers up to rounding."""
    if isinstance(expected, dict):
        found, expected = without_numbers(found), without_numbers(expected)
        assert sorted(found) == sorted(expected), where
        for name, value in expected.items():
            assert_close(found[name], value, rtol, f"{where} / {name}")
    elif isinstance(expected, list) and any(isinstance(value, (str, list, dict)) for value in expected):
        assert len(found) == len(expected), where
        for i, value in enumerate(expected):
            assert_close(found[i], value, rtol, f"{where} / {i}")
    elif isinstance(expected, (str, bool)) or expected is None:
        assert found == expected, where
    else:
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-5, err_msg=where)


def without_numbers(table):
    """Returns a table without the numbers that Keras gives to layers, which count what a process has made."""
    return {re.sub(r"_\d+(?=/)", "", name): value for name, value in table.items()}


def load(name):
    """Returns a model from its file; a file of weights needs the model first."""
    keras.utils.set_random_seed(0)
    if not name.endswith(".weights.h5"):
        return kprob.load_model(FORMER / name, custom_objects=FUNCTIONS)
    make, data, options, _ = MODELS[name]
    model = make()
    model.fit(data, **options_of(name, {**options, "epochs": 0}))
    model.load_weights(FORMER / name)
    return model


def test_there_are_files():
    there = {path.name for path in FORMER.iterdir() if path.suffix in (".h5", ".keras")}
    assert there == set(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_a_former_file(name):
    if name not in EXPECTED:
        pytest.skip("no answers were written down on this backend")
    _, data, options, latent = MODELS[name]
    model = load(name)
    assert_close(answers(model, name, data, options, latent), EXPECTED[name]["loaded"], 1e-4, name)
    # An epoch more multiplies what rounding differs by.
    assert_close(goes_on(model, name, data, options), EXPECTED[name]["gone on"], 1e-3, f"{name}, an epoch later")


@pytest.mark.parametrize("name", REGISTERED)
def test_a_former_name_is_known(name):
    """Every class that a file of before may name is found under its name."""
    config = {"module": "kprob", "class_name": name.rpartition(">")[2], "config": {}, "registered_name": name}
    assert find_objects(config, None, True, "a file")[name].__name__ == name.rpartition(">")[2]
