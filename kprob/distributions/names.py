"""What a distribution is called in summaries and messages."""

from kprob.distributions.wrappers import unwrapped
from kprob.types import Distribution


def class_name(distribution: Distribution) -> str:
    """Returns the name of a distribution's class, wrappers included."""
    return type(distribution).__name__.strip("_")


def family_name(distribution: Distribution) -> str:
    """Returns the name of a family: `Normal`, or `Exp(Normal)` where a bijector carries it elsewhere."""
    distribution = unwrapped(distribution)
    if class_name(distribution) != "TransformedDistribution":
        return class_name(distribution)
    bijector = distribution.bijector
    parts = [type(part).__name__.strip("_") for part in getattr(bijector, "bijectors", None) or [bijector]]
    return "(".join([*parts, family_name(distribution.distribution)]) + ")" * len(parts)
