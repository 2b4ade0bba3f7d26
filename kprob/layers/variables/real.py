"""Real random variables."""

from typing import Any

from kprob.layers.event_shapes import EventShape
from kprob.layers.random_variable import RandomVariable
from kprob.saving import register
from kprob.types import ArrayLike


@register
class Normal(RandomVariable):
    """A normal (Gaussian) variable: for real quantities, and the usual posterior of a latent.

    log p(x) = -½ ((x - loc) / scale)² - log scale - ½ log 2π

    Args:
        event_shape: Shape of one value, an int or a tuple.
        loc: Mean; standard value 0.
        scale: Standard deviation, positive; standard value 1.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.Normal(3, loc=[1.0, 2.0, 3.0], scale=1e-6)
        assert x().shape == (3,) and abs(float(x()[2]) - 3.0) < 1e-3
        ```
    """

    def __init__(
        self, event_shape: EventShape = None, *, loc: ArrayLike = None, scale: ArrayLike = None, **kwargs: Any
    ):
        super().__init__("Normal", event_shape, loc=loc, scale=scale, **kwargs)


@register
class StudentT(RandomVariable):
    """A Student t variable: for real quantities with outliers.

    log p(x) = log Γ((df + 1) / 2) - log Γ(df / 2) - ½ log(π df) - log scale - (df + 1) / 2 · log(1 + z² / df),
    z = (x - loc) / scale

    Args:
        event_shape: Shape of one value, an int or a tuple.
        df: Degrees of freedom, positive: 1 is the Cauchy distribution, infinity the normal one.
        loc: Centre; standard value 0.
        scale: Scale, positive; standard value 1.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.StudentT(df=3.0)
        assert abs(float(x.distribution(scale=2.0).variance()) - 12.0) < 1e-4
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
        super().__init__("StudentT", event_shape, df=df, loc=loc, scale=scale, **kwargs)


@register
class Cauchy(RandomVariable):
    """A Cauchy variable: so heavy in the tails that it has no mean.

    log p(x) = -log(π scale) - log(1 + ((x - loc) / scale)²)

    Args:
        event_shape: Shape of one value, an int or a tuple.
        loc: Median; standard value 0.
        scale: Half the distance between the quartiles, positive; standard value 1.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.Cauchy(loc=1.0)
        assert abs(float(x.distribution().cdf(1.0)) - 0.5) < 1e-6
        ```
    """

    def __init__(
        self, event_shape: EventShape = None, *, loc: ArrayLike = None, scale: ArrayLike = None, **kwargs: Any
    ):
        super().__init__("Cauchy", event_shape, loc=loc, scale=scale, **kwargs)


@register
class Laplace(RandomVariable):
    """A Laplace (double exponential) variable: for sparse effects and absolute errors.

    log p(x) = -|x - loc| / scale - log(2 scale)

    Args:
        event_shape: Shape of one value, an int or a tuple.
        loc: Median; standard value 0.
        scale: Mean absolute deviation, positive; standard value 1.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.Laplace(scale=2.0)
        assert abs(float(x.distribution().variance()) - 8.0) < 1e-5
        ```
    """

    def __init__(
        self, event_shape: EventShape = None, *, loc: ArrayLike = None, scale: ArrayLike = None, **kwargs: Any
    ):
        super().__init__("Laplace", event_shape, loc=loc, scale=scale, **kwargs)


@register
class Logistic(RandomVariable):
    """A logistic variable: a latent whose sign is a Bernoulli variable with logit loc / scale.

    log p(x) = -z - log scale - 2 log(1 + exp(-z)),   z = (x - loc) / scale

    Args:
        event_shape: Shape of one value, an int or a tuple.
        loc: Mean; standard value 0.
        scale: Scale, positive; standard value 1.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.Logistic()
        assert abs(float(x.distribution().cdf(0.0)) - 0.5) < 1e-6
        ```
    """

    def __init__(
        self, event_shape: EventShape = None, *, loc: ArrayLike = None, scale: ArrayLike = None, **kwargs: Any
    ):
        super().__init__("Logistic", event_shape, loc=loc, scale=scale, **kwargs)


@register
class Gumbel(RandomVariable):
    """A Gumbel variable: the largest of many quantities.

    log p(x) = -z - exp(-z) - log scale,   z = (x - loc) / scale

    Args:
        event_shape: Shape of one value, an int or a tuple.
        loc: Mode; standard value 0.
        scale: Scale, positive; standard value 1.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.Gumbel(loc=2.0)
        assert abs(float(x.distribution().mean()) - 2.5772157) < 1e-4
        ```
    """

    def __init__(
        self, event_shape: EventShape = None, *, loc: ArrayLike = None, scale: ArrayLike = None, **kwargs: Any
    ):
        super().__init__("Gumbel", event_shape, loc=loc, scale=scale, **kwargs)


@register
class SinhArcsinh(RandomVariable):
    """A normal variable made skewed and heavy-tailed: for posteriors that a normal doesn't fit.

    x = loc + scale · F(z) · 2 / F₀(2),   z ~ N(0, 1),
    F(z) = sinh((arcsinh(z) + skewness) · tailweight),   F₀(z) = sinh(arcsinh(z) · tailweight)

    Args:
        event_shape: Shape of one value, an int or a tuple.
        loc: Location; standard value 0.
        scale: Scale, positive; standard value 1.
        skewness: Skewness; at its standard value 0 it is symmetric.
        tailweight: Weight of the tails, positive; at its standard value 1 they are the normal distribution's.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.SinhArcsinh(loc=1.0, scale=2.0)  # nothing more: a normal variable
        assert abs(float(x.distribution().cdf(3.0)) - 0.8413447) < 1e-5
        ```
    """

    def __init__(
        self,
        event_shape: EventShape = None,
        *,
        loc: ArrayLike = None,
        scale: ArrayLike = None,
        skewness: ArrayLike = None,
        tailweight: ArrayLike = None,
        **kwargs: Any,
    ):
        super().__init__(
            "SinhArcsinh",
            event_shape,
            loc=loc,
            scale=scale,
            skewness=skewness,
            tailweight=tailweight,
            **kwargs,
        )


@register
class ExponentiallyModifiedGaussian(RandomVariable):
    """A normal plus an exponential variable: for reaction times and chromatographic peaks.

    x = y + w,   y ~ N(loc, scale),   w ~ Exponential(rate)

    Args:
        event_shape: Shape of one value, an int or a tuple.
        loc: Mean of the normal part; standard value 0.
        scale: Standard deviation of the normal part, positive; standard value 1.
        rate: Rate of the exponential part, positive; standard value 1.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.ExponentiallyModifiedGaussian(loc=1.0, rate=0.5)
        assert abs(float(x.distribution().mean()) - 3.0) < 1e-5
        ```
    """

    def __init__(
        self,
        event_shape: EventShape = None,
        *,
        loc: ArrayLike = None,
        scale: ArrayLike = None,
        rate: ArrayLike = None,
        **kwargs: Any,
    ):
        super().__init__("ExponentiallyModifiedGaussian", event_shape, loc=loc, scale=scale, rate=rate, **kwargs)


@register
class Horseshoe(RandomVariable):
    """A horseshoe variable: for coefficients of which most are zero and some are large.

    x ~ N(0, scale · w),   w ~ HalfCauchy(1)

    Args:
        event_shape: Shape of one value, an int or a tuple.
        scale: Scale, positive; standard value 1.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        weights = layers.Horseshoe(100, scale=0.1)
        assert weights().shape == (100,)
        ```
    """

    def __init__(self, event_shape: EventShape = None, *, scale: ArrayLike = None, **kwargs: Any):
        super().__init__("Horseshoe", event_shape, scale=scale, **kwargs)


@register
class Deterministic(RandomVariable):
    """A variable that is always its location: a point estimate in a hand-written posterior.

    log p(x) = 0 where x = loc, else -∞

    Args:
        event_shape: Shape of one value, an int or a tuple.
        loc: The value.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.Deterministic(2, loc=[1.0, 2.0])
        assert x().shape == (2,) and float(x()[1]) == 2.0
        ```
    """

    def __init__(self, event_shape: EventShape = None, *, loc: ArrayLike = None, **kwargs: Any):
        super().__init__("Deterministic", event_shape, loc=loc, **kwargs)
