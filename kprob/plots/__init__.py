"""Figures: the only user of graphviz and matplotlib. May import: everything but callbacks."""

from kprob.plots.calibration import plot_calibration
from kprob.plots.plot_model import plot_model

__all__ = ["plot_calibration", "plot_model"]
