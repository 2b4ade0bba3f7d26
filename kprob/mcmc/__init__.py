"""Samplers. May import: errors, checks, backend, saving, distributions, diagnostics, effects, engine, density."""

from kprob.mcmc.chains import Chains
from kprob.mcmc.draws import Draws
from kprob.mcmc.hmc import HMC
from kprob.mcmc.nuts import NUTS
from kprob.mcmc.sampler import Info, Kernel, Sampler

__all__ = ["HMC", "NUTS", "Chains", "Draws", "Info", "Kernel", "Sampler"]
