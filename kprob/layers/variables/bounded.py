"""Random variables between two bounds, and angles."""

from typing import Any

from kprob.layers.event_shapes import EventShape
from kprob.layers.random_variable import RandomVariable
from kprob.saving import register
from kprob.types import ArrayLike


@register
class Uniform(RandomVariable):
    """A uniform variable: all values between two bounds alike.

    log p(x) = -log(high - low),   low ≤ x ≤ high

    Args:
        event_shape: Shape of one value, an int or a tuple.
        low: Lower bound; standard value 0.
        high: Upper bound, above `low`; standard value 1.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.Uniform(low=2.0, high=3.0)
        assert 2.0 <= float(x()) <= 3.0
        ```
    """

    def __init__(self, event_shape: EventShape = None, *, low: ArrayLike = None, high: ArrayLike = None, **kwargs: Any):
        super().__init__("Uniform", event_shape, low=low, high=high, **kwargs)


@register
class TruncatedNormal(RandomVariable):
    """A normal variable that is known to lie between two bounds.

    log p(x) = log N(x; loc, scale) - log(Φ((high - loc) / scale) - Φ((low - loc) / scale)),   low ≤ x ≤ high

    Args:
        event_shape: Shape of one value, an int or a tuple.
        loc: Mean of the normal variable before truncation; standard value 0.
        scale: Its standard deviation, positive; standard value 1.
        low: Lower bound; may be -inf.
        high: Upper bound, above `low`; may be inf.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.TruncatedNormal(loc=-1.0, low=0.0, high=float("inf"))
        assert float(x()) >= 0.0
        ```
    """

    def __init__(
        self,
        event_shape: EventShape = None,
        *,
        loc: ArrayLike = None,
        scale: ArrayLike = None,
        low: ArrayLike = None,
        high: ArrayLike = None,
        **kwargs: Any,
    ):
        super().__init__("TruncatedNormal", event_shape, loc=loc, scale=scale, low=low, high=high, **kwargs)


@register
class Triangular(RandomVariable):
    """A triangular variable: a least, a greatest and a likeliest value are all that is known.

    p(x) rises linearly from 0 at low to 2 / (high - low) at peak, and falls to 0 at high

    Args:
        event_shape: Shape of one value, an int or a tuple.
        low: Lower bound; standard value 0.
        high: Upper bound, above `low`; standard value 1.
        peak: Mode, between the two; standard value 0.5.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.Triangular(low=1.0, high=4.0, peak=2.0)
        assert 1.0 <= float(x()) <= 4.0
        ```
    """

    def __init__(
        self,
        event_shape: EventShape = None,
        *,
        low: ArrayLike = None,
        high: ArrayLike = None,
        peak: ArrayLike = None,
        **kwargs: Any,
    ):
        super().__init__("Triangular", event_shape, low=low, high=high, peak=peak, **kwargs)


@register
class Beta(RandomVariable):
    """A beta variable: a proportion, and the conjugate prior of a Bernoulli's probability.

    log p(x) = (a - 1) log x + (b - 1) log(1 - x) - log B(a, b),   a = concentration1, b = concentration0

    Args:
        event_shape: Shape of one value, an int or a tuple.
        concentration1: a, positive: successes seen before, plus one.
        concentration0: b, positive: failures seen before, plus one.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.Beta(concentration1=2.0, concentration0=6.0)
        assert abs(float(x.distribution().mean()) - 0.25) < 1e-6
        ```
    """

    def __init__(
        self,
        event_shape: EventShape = None,
        *,
        concentration1: ArrayLike = None,
        concentration0: ArrayLike = None,
        **kwargs: Any,
    ):
        super().__init__("Beta", event_shape, concentration1=concentration1, concentration0=concentration0, **kwargs)


@register
class Kumaraswamy(RandomVariable):
    """A Kumaraswamy variable: like a beta one, with draws that are cheap to differentiate.

    log p(x) = log(a b) + (a - 1) log x + (b - 1) log(1 - x^a),   a = concentration1, b = concentration0

    Args:
        event_shape: Shape of one value, an int or a tuple.
        concentration1: a, positive; standard value 1.
        concentration0: b, positive; standard value 1.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.Kumaraswamy(concentration1=2.0, concentration0=3.0)
        assert 0.0 < float(x()) < 1.0
        ```
    """

    def __init__(
        self,
        event_shape: EventShape = None,
        *,
        concentration1: ArrayLike = None,
        concentration0: ArrayLike = None,
        **kwargs: Any,
    ):
        super().__init__(
            "Kumaraswamy",
            event_shape,
            concentration1=concentration1,
            concentration0=concentration0,
            **kwargs,
        )


@register
class VonMises(RandomVariable):
    """A von Mises variable: an angle in radians, the normal distribution of the circle.

    log p(x) = concentration · cos(x - loc) - log(2π I₀(concentration))

    Args:
        event_shape: Shape of one value, an int or a tuple.
        loc: Mean angle; standard value 0.
        concentration: How narrow it is, positive; 0 would be uniform.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.VonMises(loc=1.0, concentration=4.0)
        assert -3.1416 <= float(x()) <= 3.1416
        ```
    """

    def __init__(
        self, event_shape: EventShape = None, *, loc: ArrayLike = None, concentration: ArrayLike = None, **kwargs: Any
    ):
        super().__init__("VonMises", event_shape, loc=loc, concentration=concentration, **kwargs)
