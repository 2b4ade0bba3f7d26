"""The log-density of a model's latents as a function of unconstrained numbers: what samplers move on.

May import: errors, checks, backend, saving, distributions, effects, layers, objectives, guides, engine.
"""

from kprob.density.log_density import LogDensity, UnconstrainedLatent, find_log_density, only
from kprob.density.preconditioned import preconditioned
from kprob.density.unconstrained import Unconstrained

__all__ = ["LogDensity", "Unconstrained", "UnconstrainedLatent", "find_log_density", "only", "preconditioned"]
