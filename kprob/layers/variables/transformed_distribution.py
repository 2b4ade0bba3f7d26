"""Random variables that are a bijector's image of another one."""

from typing import Any

from kprob.distributions import resolve_family, transformed_family
from kprob.distributions.resolving import FamilyLike, family_key
from kprob.layers.bijector_config import BijectorLike, bijector_config, restored_bijector
from kprob.layers.event_shapes import EventShape
from kprob.layers.random_variable import RandomVariable
from kprob.saving import register


@register
class TransformedDistribution(RandomVariable):
    """An invertible function of a variable of another family: new supports and shapes from old ones.

    log p(x) = log p_base(f⁻¹(x)) + log |d f⁻¹(x) / dx|,   x = f(base)

    Args:
        family: Family of the base variable: its name, its layer's class or a class of TFP distributions.
        bijector: The function f: a TFP bijector, its name such as "Sigmoid", or several names, applied in their order.
        event_shape: Shape of one value x, an int or a tuple.
        **parameters: Parameters of the base variable, settings of its family, and `name`, `dtype` and `trainable`.

    Example:
        ```python
        from kprob import layers

        x = layers.TransformedDistribution("Normal", "Sigmoid", loc=2.0, scale=0.5)  # logit-normal
        assert 0.0 < float(x()) < 1.0
        ```
    """

    def __init__(self, family: FamilyLike, bijector: BijectorLike, event_shape: EventShape = None, **parameters: Any):
        inner = resolve_family(family)
        bijector = restored_bijector(bijector)
        super().__init__(transformed_family(inner, bijector), event_shape, **parameters)
        self.base_family = family_key(inner)
        self.bijector = bijector

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "family": self.base_family, "bijector": bijector_config(self.bijector)}
