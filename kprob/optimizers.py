"""`kprob.optimizers`: what trains several parts of a model, each in its own way."""

from kprob.training.optimizers import Optimizers
from kprob.namespaces import listing

__all__ = ["Optimizers"]
__dir__ = listing(__all__)
