"""Parameters that families of several kinds share."""

import numpy as np

from kprob.distributions.family import Parameter
from kprob.types import Shape

LOC = Parameter(0.0)
SCALE = Parameter(1.0, "positive")
SHAPE = Parameter(None, "positive", start=1.0)
DEGREES = Parameter(None, "positive", start=4.0)


def identity(shape: Shape) -> np.ndarray:
    """Returns the identity matrix of a shape, as the standard value of a parameter."""
    return np.eye(shape[-1], dtype="float32")
