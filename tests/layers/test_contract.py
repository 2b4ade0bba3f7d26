"""Every exported layer of random variables does what `contracts.py` says."""

import gc
import inspect

import pytest
from contracts import RANDOM_VARIABLE, check_xla, facts, layer_of
from layers.cases import CASES

from kprob import backend, layers

# On JAX everything is compiled: there the fast tests take one family of each kind, and `make test-all` takes all.
OF_EACH_KIND = {
    *(
        "Normal",
        "StudentT",
        "Gamma",
        "Beta",
        "Bernoulli",
        "Poisson",
        "Categorical",
        "MultivariateNormalTriL",
        "Dirichlet",
    ),
    *("LKJCholesky", "Mixture", "HiddenMarkovModel", "TransformedDistribution", "RandomVariable"),
}
PARAMETERS = [
    pytest.param(name, marks=() if backend.name == "tensorflow" or name in OF_EACH_KIND else pytest.mark.slow)
    for name in CASES
]


@pytest.fixture(scope="module", params=PARAMETERS)
def case(request):
    """One case after the other, so that the programs compiled for it can go when it is done."""
    yield CASES[request.param]
    facts.cache_clear()
    layer_of.cache_clear()
    gc.collect()
    if backend.name == "jax":
        import jax

        jax.clear_caches()


def test_every_layer_has_a_case():
    exported = {n for n in layers.__all__ if issubclass(getattr(layers, n), layers.RandomVariable)}
    assert exported == set(CASES)


@pytest.mark.parametrize("check", RANDOM_VARIABLE, ids=lambda check: check.__name__.removeprefix("check_"))
def test_contract(case, check, tmp_path):
    arguments = (case, tmp_path) if "folder" in inspect.signature(check).parameters else (case,)
    check(*arguments)


@pytest.mark.slow
def test_xla_compiles_every_sampler(case):
    if not case.own_draws:  # the others are compiled in `check_compiled`
        check_xla(case)
