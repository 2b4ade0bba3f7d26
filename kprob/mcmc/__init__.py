"""Samplers. May import: errors, checks, backend, saving, distributions, diagnostics, effects, engine, density."""

from kprob.mcmc.adjusted_mclmc import AdjustedMCLMC
from kprob.mcmc.chains import Chains
from kprob.mcmc.chees import ChEES
from kprob.mcmc.discrete_gibbs import DiscreteGibbs
from kprob.mcmc.draws import Draws
from kprob.mcmc.ensemble import EnsembleChains
from kprob.mcmc.hmc import HMC
from kprob.mcmc.mala import MALA
from kprob.mcmc.mclmc import MCLMC
from kprob.mcmc.nuts import NUTS
from kprob.mcmc.parallel_tempering import ParallelTempering
from kprob.mcmc.random_walk import RandomWalkMetropolis
from kprob.mcmc.sampler import Info, Kernel, Sampler
from kprob.mcmc.sghmc import SGHMC
from kprob.mcmc.sgld import SGLD
from kprob.mcmc.slice import Slice
from kprob.mcmc.smc import SMC

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
    "Chains",
    "DiscreteGibbs",
    "Draws",
    "EnsembleChains",
    "Info",
    "Kernel",
    "ParallelTempering",
    "RandomWalkMetropolis",
    "Sampler",
    "Slice",
]
