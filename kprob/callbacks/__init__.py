"""Keras callbacks. May import everything but `plots`."""

from kprob.callbacks.annealing import Annealing

__all__ = ["Annealing"]
