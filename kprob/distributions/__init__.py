"""The registry of families: what kprob knows of distributions beyond TFP.

May import: errors, checks, backend, saving.
"""

from kprob.distributions.corrected.relaxed import along
from kprob.distributions.families import bounded, categorical, counts, multivariate, positive, processes, real  # noqa: F401  (they fill the registry)
from kprob.distributions.families.components import hidden_markov_family, mixture_family
from kprob.distributions.families.transformed import transformed_family
from kprob.distributions.family import Family, Parameter, families, family_of, get_family, is_a, register_family
from kprob.distributions.from_class import FamilyLike, family_from_class, family_key, resolve_family
from kprob.distributions.operations import (
    contains,
    enumerate_support,
    is_discrete,
    is_reparameterized,
    log_prob,
    split_independent,
    support_bijector,
    support_name,
)
from kprob.distributions.precision import to_float64
from kprob.distributions.sampling.draws import draw
from kprob.distributions.supports.constraints import CONSTRAINTS, Constraint, get_constraint
from kprob.distributions.supports.supports import Support
from kprob.namespaces import listing

__all__ = [
    "CONSTRAINTS",
    "Constraint",
    "Family",
    "FamilyLike",
    "Parameter",
    "Support",
    "along",
    "contains",
    "draw",
    "enumerate_support",
    "families",
    "family_from_class",
    "family_key",
    "family_of",
    "get_constraint",
    "get_family",
    "hidden_markov_family",
    "is_a",
    "is_discrete",
    "is_reparameterized",
    "log_prob",
    "mixture_family",
    "register_family",
    "resolve_family",
    "split_independent",
    "support_bijector",
    "support_name",
    "to_float64",
    "transformed_family",
]
__dir__ = listing(__all__)
