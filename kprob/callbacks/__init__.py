"""Keras callbacks. May import: everything but plots."""

from kprob.callbacks.annealing import Annealing
from kprob.callbacks.converged import Converged
from kprob.callbacks.early_stopping import EarlyStopping
from kprob.callbacks.monitor import Monitor
from kprob.namespaces import listing

__all__ = ["Annealing", "Converged", "EarlyStopping", "Monitor"]
__dir__ = listing(__all__)
