"""Objectives: what `fit` maximises. May import: errors, checks, backend, saving, distributions, effects."""

from kprob.objectives.elbo import ELBO, AnalyticKLELBO
from kprob.objectives.get import get
from kprob.objectives.objective import FunctionObjective, Objective

__all__ = ["AnalyticKLELBO", "ELBO", "FunctionObjective", "Objective", "get"]
