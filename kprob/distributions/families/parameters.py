"""Parameters that families of several kinds share."""

import numpy as np

from kprob.distributions import sets
from kprob.distributions.family import Parameter, Relation
from kprob.types import Shape

LOC = Parameter(0.0, allowed=sets.FINITE)
SCALE = Parameter(1.0, "positive")
SHAPE = Parameter(None, "positive", start=1.0)
DEGREES = Parameter(None, "positive", start=4.0)
TOTAL = Parameter(allowed=sets.COUNT)
ABOVE_LOW = Relation("a number above `low`", lambda value, others: value > others["low"], ("low",))
IN_BETWEEN = Relation(
    "a number from `low` to `high`",
    lambda value, others: (value >= others["low"]) & (value <= others["high"]),
    ("low", "high"),
)


def identity(shape: Shape) -> np.ndarray:
    """Returns the identity matrix of a shape, as the standard value of a parameter."""
    return np.eye(shape[-1], dtype="float32")
