"""The registry of families: what kprob knows of distributions beyond TFP. May import: errors, checks, backend, saving."""

from kprob.distributions import continuous, discrete  # noqa: F401  (they fill the registry)
from kprob.distributions.constraints import CONSTRAINTS, Constraint, get_constraint
from kprob.distributions.family import Family, Parameter, families, family_of, get_family, register_family
from kprob.distributions.operations import (
    contains,
    draw,
    enumerate_support,
    is_discrete,
    is_reparameterized,
    support_bijector,
)

__all__ = [
    "CONSTRAINTS",
    "Constraint",
    "Family",
    "Parameter",
    "get_constraint",
    "contains",
    "draw",
    "enumerate_support",
    "families",
    "get_family",
    "family_of",
    "is_discrete",
    "is_reparameterized",
    "register_family",
    "support_bijector",
]
