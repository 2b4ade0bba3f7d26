"""Every exported layer of random variables does what `contracts.py` says."""

import inspect

import pytest
from contracts import RANDOM_VARIABLE, check_xla
from layers.cases import CASES

from kprob import layers


def test_every_layer_has_a_case():
    exported = {n for n in layers.__all__ if issubclass(getattr(layers, n), layers.RandomVariable)}
    assert exported == set(CASES)


@pytest.mark.parametrize("check", RANDOM_VARIABLE, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("name", CASES)
def test_contract(name, check, tmp_path):
    arguments = (CASES[name], tmp_path) if "folder" in inspect.signature(check).parameters else (CASES[name],)
    check(*arguments)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.own_draws])
def test_xla_compiles_the_samplers_of_tfp(name):
    check_xla(CASES[name])
