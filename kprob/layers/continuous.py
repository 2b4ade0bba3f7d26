"""Continuous random variables as layers."""

from kprob.layers.random_variable import RandomVariable
from kprob.saving import register


class _Named(RandomVariable):
    # A layer of one registered family: the class's name is the family's.
    def __init__(self, event_shape=None, *, name=None, dtype=None, trainable=True, **parameters):
        parameters.pop("family", None)
        family = type(self).__name__
        super().__init__(family, event_shape, name=name, dtype=dtype, trainable=trainable, **parameters)


@register
class Normal(_Named):
    """Normal."""


@register
class HalfNormal(_Named):
    """HalfNormal."""


@register
class Gamma(_Named):
    """Gamma."""


@register
class Bernoulli(_Named):
    """Bernoulli."""
