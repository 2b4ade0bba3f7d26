"""The registry of families: what kprob knows of distributions beyond TFP, and what a new family is made of.

`family` says what an entry is, `families/` has the entries, `constraints` those of parameters, `supports/` those of values,
`sampling/` the draws, `corrected/` the densities that keep their digits. What the rest of kprob asks of any distribution is in
`supported_values`, `properties`, `log_density`, `kl_divergence`, `wrappers` and `names`.

May import: errors, checks, backend, saving.
"""

from kprob.distributions import supports
from kprob.distributions.constraints import CONSTRAINTS, Constraint, get_constraint
from kprob.distributions.families import (  # noqa: F401  (they fill the registry)
    bounded,
    categorical,
    counts,
    further,
    multivariate,
    positive,
    processes,
    real,
)
from kprob.distributions.families.from_class import family_from_class
from kprob.distributions.families.hidden_markov import hidden_markov_family
from kprob.distributions.families.mixture import mixture_family
from kprob.distributions.families.transformed import transformed_family
from kprob.distributions.family import Family, Parameter
from kprob.distributions.kl_divergence import kl_divergence
from kprob.distributions.log_density import log_prob
from kprob.distributions.possible_parameters import check_parameters, find_impossible
from kprob.distributions.properties import is_discrete, is_reparameterized
from kprob.distributions.registry import families, family_of, get_family, is_a, register_family
from kprob.distributions.resolving import resolve_family
from kprob.distributions.sampling.draw import draw
from kprob.distributions.supported_values import contains, enumerate_support, support_bijector, support_name
from kprob.distributions.supports.support import Support
from kprob.distributions.wrappers import split_independent
from kprob.namespaces import listing

__all__ = [
    "CONSTRAINTS",
    "Constraint",
    "Family",
    "Parameter",
    "Support",
    "check_parameters",
    "contains",
    "draw",
    "enumerate_support",
    "families",
    "find_impossible",
    "family_from_class",
    "family_of",
    "get_constraint",
    "get_family",
    "hidden_markov_family",
    "is_a",
    "is_discrete",
    "is_reparameterized",
    "kl_divergence",
    "log_prob",
    "mixture_family",
    "register_family",
    "resolve_family",
    "split_independent",
    "support_bijector",
    "support_name",
    "supports",
    "transformed_family",
]
__dir__ = listing(__all__)
