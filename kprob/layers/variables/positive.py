"""Positive random variables, and variables above a bound."""

from typing import Any

from kprob.layers.event_shapes import EventShape
from kprob.layers.random_variable import RandomVariable
from kprob.saving import register
from kprob.types import ArrayLike


@register
class LogNormal(RandomVariable):
    """A variable whose logarithm is normal: for positive quantities that vary by factors.

    log p(x) = -½ ((log x - loc) / scale)² - log x - log scale - ½ log 2π

    Args:
        event_shape: Shape of one value, an int or a tuple.
        loc: Mean of log x; standard value 0.
        scale: Standard deviation of log x, positive; standard value 1.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.LogNormal(loc=1.0, scale=1e-6)
        assert abs(float(x()) - 2.7182818) < 1e-3
        ```
    """

    def __init__(
        self, event_shape: EventShape = None, *, loc: ArrayLike = None, scale: ArrayLike = None, **kwargs: Any
    ):
        super().__init__("LogNormal", event_shape, loc=loc, scale=scale, **kwargs)


@register
class HalfNormal(RandomVariable):
    """The absolute value of a normal variable: a weak prior of a scale.

    log p(x) = -½ (x / scale)² - log scale + ½ log(2 / π)

    Args:
        event_shape: Shape of one value, an int or a tuple.
        scale: Scale, positive; standard value 1.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.HalfNormal(scale=2.0)
        assert float(x()) >= 0.0
        ```
    """

    def __init__(self, event_shape: EventShape = None, *, scale: ArrayLike = None, **kwargs: Any):
        super().__init__("HalfNormal", event_shape, scale=scale, **kwargs)


@register
class HalfCauchy(RandomVariable):
    """The upper half of a Cauchy variable: a prior of a scale that may be very large.

    log p(x) = log(2 / π) - log scale - log(1 + ((x - loc) / scale)²),   x ≥ loc

    Args:
        event_shape: Shape of one value, an int or a tuple.
        loc: Lower bound; standard value 0.
        scale: Scale, positive; standard value 1.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.HalfCauchy(scale=5.0)
        assert abs(float(x.distribution().cdf(5.0)) - 0.5) < 1e-6
        ```
    """

    def __init__(
        self, event_shape: EventShape = None, *, loc: ArrayLike = None, scale: ArrayLike = None, **kwargs: Any
    ):
        super().__init__("HalfCauchy", event_shape, loc=loc, scale=scale, **kwargs)


@register
class HalfStudentT(RandomVariable):
    """The upper half of a Student t variable: a prior of a scale, between HalfNormal and HalfCauchy.

    log p(x) = log 2 + log StudentT(x; df, loc, scale),   x ≥ loc

    Args:
        event_shape: Shape of one value, an int or a tuple.
        df: Degrees of freedom, positive.
        loc: Lower bound; standard value 0.
        scale: Scale, positive; standard value 1.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.HalfStudentT(df=4.0)
        assert float(x()) >= 0.0
        ```
    """

    def __init__(
        self,
        event_shape: EventShape = None,
        *,
        df: ArrayLike = None,
        loc: ArrayLike = None,
        scale: ArrayLike = None,
        **kwargs: Any,
    ):
        super().__init__("HalfStudentT", event_shape, df=df, loc=loc, scale=scale, **kwargs)


@register
class Exponential(RandomVariable):
    """An exponential variable: waiting times without memory.

    log p(x) = log rate - rate · x

    Args:
        event_shape: Shape of one value, an int or a tuple.
        rate: Events per unit of time, positive; standard value 1.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.Exponential(rate=4.0)
        assert abs(float(x.distribution().mean()) - 0.25) < 1e-6
        ```
    """

    def __init__(self, event_shape: EventShape = None, *, rate: ArrayLike = None, **kwargs: Any):
        super().__init__("Exponential", event_shape, rate=rate, **kwargs)


@register
class Gamma(RandomVariable):
    """A gamma variable: positive quantities, and the conjugate prior of rates and precisions.

    log p(x) = a log b - log Γ(a) + (a - 1) log x - b x,   a = concentration, b = rate

    Args:
        event_shape: Shape of one value, an int or a tuple.
        concentration: Shape a, positive.
        rate: Inverse scale b, positive; standard value 1.
        log_rate: Logarithm of the rate, in its place.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.Gamma(concentration=3.0, rate=2.0)
        assert abs(float(x.distribution().mean()) - 1.5) < 1e-6
        ```
    """

    def __init__(
        self,
        event_shape: EventShape = None,
        *,
        concentration: ArrayLike = None,
        rate: ArrayLike = None,
        log_rate: ArrayLike = None,
        **kwargs: Any,
    ):
        super().__init__("Gamma", event_shape, concentration=concentration, rate=rate, log_rate=log_rate, **kwargs)


@register
class InverseGamma(RandomVariable):
    """The reciprocal of a gamma variable: the conjugate prior of a normal's variance.

    log p(x) = a log b - log Γ(a) - (a + 1) log x - b / x,   a = concentration, b = scale

    Args:
        event_shape: Shape of one value, an int or a tuple.
        concentration: Shape a, positive.
        scale: Scale b, positive; standard value 1.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.InverseGamma(concentration=3.0, scale=2.0)
        assert abs(float(x.distribution().mean()) - 1.0) < 1e-6
        ```
    """

    def __init__(
        self, event_shape: EventShape = None, *, concentration: ArrayLike = None, scale: ArrayLike = None, **kwargs: Any
    ):
        super().__init__("InverseGamma", event_shape, concentration=concentration, scale=scale, **kwargs)


@register
class Chi2(RandomVariable):
    """A chi-squared variable: the sum of `df` squared standard normal variables.

    log p(x) = (df / 2 - 1) log x - x / 2 - df / 2 · log 2 - log Γ(df / 2)

    Args:
        event_shape: Shape of one value, an int or a tuple.
        df: Degrees of freedom, positive.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.Chi2(df=5.0)
        assert abs(float(x.distribution().mean()) - 5.0) < 1e-5
        ```
    """

    def __init__(self, event_shape: EventShape = None, *, df: ArrayLike = None, **kwargs: Any):
        super().__init__("Chi2", event_shape, df=df, **kwargs)


@register
class Weibull(RandomVariable):
    """A Weibull variable: lifetimes whose hazard grows or falls with age.

    log p(x) = log(k / λ) + (k - 1) log(x / λ) - (x / λ)^k,   k = concentration, λ = scale

    Args:
        event_shape: Shape of one value, an int or a tuple.
        concentration: Shape k, positive: above 1 the hazard grows, below it falls.
        scale: Scale λ, positive; standard value 1.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.Weibull(concentration=1.0, scale=3.0)  # an exponential variable
        assert abs(float(x.distribution().mean()) - 3.0) < 1e-5
        ```
    """

    def __init__(
        self, event_shape: EventShape = None, *, concentration: ArrayLike = None, scale: ArrayLike = None, **kwargs: Any
    ):
        super().__init__("Weibull", event_shape, concentration=concentration, scale=scale, **kwargs)


@register
class Pareto(RandomVariable):
    """A Pareto variable: sizes above a least one that follow a power law.

    log p(x) = log a + a log m - (a + 1) log x,   x ≥ m;   a = concentration, m = scale

    Args:
        event_shape: Shape of one value, an int or a tuple.
        concentration: Exponent a, positive.
        scale: Least value m, positive; standard value 1.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.Pareto(concentration=3.0, scale=2.0)
        assert float(x()) >= 2.0
        ```
    """

    def __init__(
        self, event_shape: EventShape = None, *, concentration: ArrayLike = None, scale: ArrayLike = None, **kwargs: Any
    ):
        super().__init__("Pareto", event_shape, concentration=concentration, scale=scale, **kwargs)
