"""`ProbabilisticModel` and ready models. May import: everything but callbacks and plots."""

from kprob.models.function_model import FunctionModel, probmodel
from kprob.models.optimizers import Optimizers
from kprob.models.probabilistic_model import ProbabilisticModel

__all__ = ["FunctionModel", "Optimizers", "ProbabilisticModel", "probmodel"]
