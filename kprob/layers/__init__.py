"""Random variables as Keras layers. May import: errors, checks, backend, saving, distributions, effects."""

from kprob.layers.continuous import Bernoulli, Gamma, HalfNormal, Normal
from kprob.layers.random_variable import RandomVariable

__all__ = ["Bernoulli", "Gamma", "HalfNormal", "Normal", "RandomVariable"]
