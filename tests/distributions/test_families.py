"""The registry: every entry is complete, and any TFP class makes a family."""

import pytest

from kprob import tfd
from kprob.distributions import (
    CONSTRAINTS,
    families,
    family_from_class,
    family_of,
    get_family,
    resolve_family,
)
from kprob.distributions.resolving import family_key
from kprob.errors import SiteError


@pytest.mark.parametrize("name", families())
def test_an_entry_is_consistent(name):
    family = get_family(name)
    assert family.name == name and family.support is not None
    grouped = [parameter for group in family.alternatives for parameter in group]
    assert set(grouped) <= set(family.parameters) and len(set(grouped)) == len(grouped)
    assert set(family.learned or ()) <= set(family.needed())
    for parameter in family.parameters.values():
        assert parameter.constraint in CONSTRAINTS
    for _, *others in family.alternatives:
        assert all(family.parameters[other].standard is None for other in others)


def test_standard_values_fill_what_is_missing():
    normal = get_family("Normal")
    completed, missing = normal.complete({"loc": 3.0})
    assert completed == {"loc": 3.0, "scale": 1.0} and missing == []
    assert get_family("Gamma").complete({})[1] == ["concentration"]
    assert get_family("Gamma").complete({"concentration": 1.0, "log_rate": 0.0})[0].keys() == {
        "concentration",
        "log_rate",
    }
    vector, missing = get_family("MultivariateNormalTriL").complete({}, event=(2,))
    assert missing == [] and vector["scale_tril"].tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert get_family("Dirichlet").complete({}, event=(2,))[1] == ["concentration"]


def test_a_family_is_found_in_every_way_of_naming_it():
    normal = get_family("Normal")
    assert resolve_family("Normal") is resolve_family(tfd.Normal) is resolve_family(normal) is normal
    skellam = resolve_family(tfd.Skellam)
    assert resolve_family("Skellam") is skellam and family_key(skellam) == "Skellam"
    assert list(skellam.parameters)[:2] == ["rate1", "rate2"]
    assert family_from_class(tfd.Skellam) is skellam


@pytest.mark.parametrize(
    ("family", "message"),
    [
        ("Normla", "no family of distributions called 'Normla'. Did you mean 'Normal'"),
        (tfd.Normal(0.0, 1.0), "The first argument of a random variable of any family is the family"),
        (3, "expected|Expected: a class of TFP distributions"),
        (tfd.JointDistributionNamed, "is a model of several variables, not one random variable"),
    ],
)
def test_what_is_no_family_says_so(family, message):
    with pytest.raises(SiteError, match=message):
        resolve_family(family)


def test_the_entry_of_a_distribution():
    assert family_of(tfd.Exponential(1.0)).name == "Exponential"
    assert family_of(tfd.Gamma(1.0, 1.0)).name == "Gamma"
    assert family_of(tfd.MultivariateNormalDiag([0.0, 0.0])).name == "MultivariateNormalDiag"
    # Known by its class alone: no layer has it.
    assert family_of(tfd.Skellam(1.0, 1.0)).name == "Skellam" and "Skellam" not in families()
    assert family_of(tfd.Empirical([1.0, 2.0])) is None
