"""Mixtures of the distributions of one family."""

from typing import Any

from kprob.distributions import mixture_family, resolve_family
from kprob.distributions.resolving import FamilyLike, family_key
from kprob.layers.event_shapes import EventShape, normalize_event_shape
from kprob.layers.random_variable import RandomVariable
from kprob.saving import register
from kprob.types import ArrayLike


@register
class Mixture(RandomVariable):
    """A mixture of distributions of one family: clusters, several modes, mixture-density networks.

    p(x) = Σₖ probs[k] · p(x; the parameters of component k)

    One component is drawn for a whole value, and summed out in the density. Parameters have the axis of the K
    components in front of those of one value: with `event_shape=2` a normal mixture's `loc` has the shape (..., K, 2).

    Args:
        family: The components' family: its name, its layer's class or a class of TFP distributions.
        event_shape: Shape of one value, an int or a tuple; by default one value of the family, a scalar for most.
        logits: Log-weights of the components, shape (..., K); standard value 0.
        probs: Probabilities of the components, in their place.
        num_components: Number of components K; only heads, free parameters and standard values need it.
        reparameterize: Whether draws are differentiated implicitly (Figurnov et al. 2018), for scalar components.
        **parameters: Parameters of the components, settings of the family, and `name`, `dtype` and `trainable`. The
            components' own `logits` and `probs` are called `component_logits` and `component_probs`.

    Example:
        ```python
        import keras
        from kprob import layers

        y = layers.Mixture(layers.Normal, num_components=3)  # a mixture-density network
        assert y(keras.ops.ones((5, 2))).shape == (5,)

        x = layers.Mixture("Normal", probs=[0.5, 0.5], loc=[-1.0, 3.0], scale=1.0)
        assert abs(float(x.distribution().mean()) - 1.0) < 1e-5
        ```
    """

    def __init__(
        self,
        family: FamilyLike,
        event_shape: EventShape = None,
        *,
        logits: ArrayLike = None,
        probs: ArrayLike = None,
        num_components: int | None = None,
        reparameterize: bool = False,
        **parameters: Any,
    ):
        inner = resolve_family(family)
        event_shape = normalize_event_shape(event_shape, inner)
        super().__init__(
            mixture_family(inner, inner.own_ndims if event_shape is None else len(event_shape)),
            event_shape,
            logits=logits,
            probs=probs,
            num_components=num_components,
            reparameterize=reparameterize,
            **parameters,
        )
        self.component_family = family_key(inner)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "family": self.component_family}
