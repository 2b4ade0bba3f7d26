"""Figures: the only user of graphviz and matplotlib. May import: everything but callbacks."""

from kprob.namespaces import listing
from kprob.plots.calibration import plot_calibration
from kprob.plots.plot_model import plot_model

__all__ = ["plot_calibration", "plot_model"]
__dir__ = listing(__all__)
