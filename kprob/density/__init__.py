"""The log-density of a model's latents as a function of unconstrained numbers: what samplers move on.

May import: errors, checks, backend, saving, distributions, effects, layers, objectives, guides, engine.
"""

from kprob.density.log_density import Latent, LogDensity, find_log_density, only
from kprob.density.preconditioned import preconditioned
from kprob.density.unconstrained import Unconstrained

__all__ = ["Latent", "LogDensity", "Unconstrained", "find_log_density", "only", "preconditioned"]
