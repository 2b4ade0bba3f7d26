"""Keras callbacks. May import: everything but plots."""

from kprob.callbacks.annealing import Annealing
from kprob.callbacks.converged import Converged
from kprob.callbacks.early_stopping import EarlyStopping
from kprob.callbacks.monitor import Monitor

__all__ = ["Annealing", "Converged", "EarlyStopping", "Monitor"]
