"""Every exported layer of random variables does what `contracts.py` says."""

import inspect

import pytest
from contracts import CHECKS
from layers.cases import CASES

from kprob import layers


def test_every_layer_has_a_case():
    exported = {n for n in layers.__all__ if issubclass(getattr(layers, n), layers.RandomVariable)}
    assert exported == set(CASES)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("name", CASES)
def test_contract(name, check, tmp_path):
    arguments = (CASES[name], tmp_path) if "folder" in inspect.signature(check).parameters else (CASES[name],)
    check(*arguments)
