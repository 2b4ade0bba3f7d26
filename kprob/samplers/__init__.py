"""Samplers: a file for each, and the base class in sampler.py.

kernels/      their transitions as pure functions
adaptation/   what warm-up learns: step sizes, mass matrices, lengths of trajectories
chains/       compiled programs, starting points, draws

May import: errors, checks, backend, saving, distributions, diagnostics, effects, engine, density.
"""

from kprob.namespaces import listing
from kprob.samplers.adjusted_mclmc import AdjustedMCLMC
from kprob.samplers.chees import ChEES
from kprob.samplers.discrete_gibbs import DiscreteGibbs
from kprob.samplers.hmc import HMC
from kprob.samplers.kernels.kernel import Info, Kernel
from kprob.samplers.mala import MALA
from kprob.samplers.mclmc import MCLMC
from kprob.samplers.nuts import NUTS
from kprob.samplers.parallel_tempering import ParallelTempering
from kprob.samplers.random_walk import RandomWalkMetropolis
from kprob.samplers.sampler import Sampler
from kprob.samplers.sghmc import SGHMC
from kprob.samplers.sgld import SGLD
from kprob.samplers.slice import Slice
from kprob.samplers.smc import SMC

__all__ = [
    "HMC",
    "MALA",
    "MCLMC",
    "NUTS",
    "SGHMC",
    "SGLD",
    "SMC",
    "AdjustedMCLMC",
    "ChEES",
    "DiscreteGibbs",
    "Info",
    "Kernel",
    "ParallelTempering",
    "RandomWalkMetropolis",
    "Sampler",
    "Slice",
]
__dir__ = listing(__all__)
