"""`ProbabilisticModel` and ready models. May import: everything but callbacks and plots."""

from kprob.models.function_model import FunctionModel, probmodel
from kprob.models.probabilistic_model import ProbabilisticModel
from kprob.namespaces import listing

__all__ = ["FunctionModel", "ProbabilisticModel", "probmodel"]
__dir__ = listing(__all__)
