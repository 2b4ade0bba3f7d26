"""Guides: ready inference networks. May import: errors, checks, backend, saving, distributions, effects, layers, objectives."""

from kprob.guides.delta import Delta
from kprob.guides.flows.autoregressive_flows import InverseAutoregressiveFlow, MaskedAutoregressiveFlow
from kprob.guides.flows.coupling_flows import NeuralSplineFlow, RealNVP
from kprob.guides.group import Group
from kprob.guides.guide import Guide
from kprob.guides.laplace import Laplace
from kprob.guides.low_rank_multivariate_normal import LowRankMultivariateNormal
from kprob.guides.multivariate_normal import MultivariateNormal
from kprob.guides.normal import Normal
from kprob.guides.particles import Particles
from kprob.guides.structured import Structured
from kprob.namespaces import listing

__all__ = [
    "Delta",
    "Group",
    "Guide",
    "InverseAutoregressiveFlow",
    "Laplace",
    "LowRankMultivariateNormal",
    "MaskedAutoregressiveFlow",
    "MultivariateNormal",
    "NeuralSplineFlow",
    "Normal",
    "Particles",
    "RealNVP",
    "Structured",
]
__dir__ = listing(__all__)
