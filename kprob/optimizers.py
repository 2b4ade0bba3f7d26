"""`kprob.optimizers`: what trains several parts of a model, each in its own way."""

from kprob.namespaces import listing
from kprob.training.optimizers import Optimizers

__all__ = ["Optimizers"]
__dir__ = listing(__all__)
