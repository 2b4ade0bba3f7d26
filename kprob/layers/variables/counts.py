"""Random counts, and variables that are 0 or 1. Values are floats."""

from typing import Any

from kprob.layers.event_shapes import EventShape
from kprob.layers.random_variable import RandomVariable
from kprob.saving import register
from kprob.types import ArrayLike


@register
class Bernoulli(RandomVariable):
    """A variable that is 0 or 1: binary labels, black and white pixels.

    Values are floats, so that they enter a network as they are.

    log p(x) = x log probs + (1 - x) log(1 - probs),   probs = sigmoid(logits)

    Args:
        event_shape: Shape of one value, an int or a tuple.
        logits: Log-odds of a 1; standard value 0.
        probs: Probability of a 1, in their place.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.Bernoulli(4, probs=[0.0, 1.0, 0.0, 1.0])
        assert [float(value) for value in x()] == [0.0, 1.0, 0.0, 1.0]
        ```
    """

    def __init__(
        self, event_shape: EventShape = None, *, logits: ArrayLike = None, probs: ArrayLike = None, **kwargs: Any
    ):
        super().__init__("Bernoulli", event_shape, logits=logits, probs=probs, **kwargs)


@register
class Binomial(RandomVariable):
    """A binomial variable: successes in a number of independent trials.

    log p(x) = log C(n, x) + x log probs + (n - x) log(1 - probs),   n = total_count

    Args:
        event_shape: Shape of one value, an int or a tuple.
        total_count: Number of trials n.
        logits: Log-odds of a success; standard value 0.
        probs: Probability of a success, in their place.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.Binomial(total_count=10, probs=0.3)
        assert abs(float(x.distribution().mean()) - 3.0) < 1e-5
        ```
    """

    def __init__(
        self,
        event_shape: EventShape = None,
        *,
        total_count: ArrayLike = None,
        logits: ArrayLike = None,
        probs: ArrayLike = None,
        **kwargs: Any,
    ):
        super().__init__("Binomial", event_shape, total_count=total_count, logits=logits, probs=probs, **kwargs)


@register
class BetaBinomial(RandomVariable):
    """Successes in trials whose probability is itself a beta variable: overdispersed proportions.

    log p(x) = log C(n, x) + log B(x + a, n - x + b) - log B(a, b),
    n = total_count, a = concentration1, b = concentration0

    Args:
        event_shape: Shape of one value, an int or a tuple.
        total_count: Number of trials n.
        concentration1: a, positive.
        concentration0: b, positive.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.BetaBinomial(total_count=10, concentration1=1.0, concentration0=1.0)  # all of 0 ... 10 alike
        assert abs(float(x.distribution().prob(4.0)) - 1 / 11) < 1e-5
        ```
    """

    def __init__(
        self,
        event_shape: EventShape = None,
        *,
        total_count: ArrayLike = None,
        concentration1: ArrayLike = None,
        concentration0: ArrayLike = None,
        **kwargs: Any,
    ):
        super().__init__(
            "BetaBinomial",
            event_shape,
            total_count=total_count,
            concentration1=concentration1,
            concentration0=concentration0,
            **kwargs,
        )


@register
class Geometric(RandomVariable):
    """A geometric variable: failures before the first success.

    log p(x) = x log(1 - probs) + log probs

    Args:
        event_shape: Shape of one value, an int or a tuple.
        logits: Log-odds of a success; standard value 0.
        probs: Probability of a success, in their place.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.Geometric(probs=0.25)
        assert abs(float(x.distribution().mean()) - 3.0) < 1e-5
        ```
    """

    def __init__(
        self, event_shape: EventShape = None, *, logits: ArrayLike = None, probs: ArrayLike = None, **kwargs: Any
    ):
        super().__init__("Geometric", event_shape, logits=logits, probs=probs, **kwargs)


@register
class Poisson(RandomVariable):
    """A Poisson variable: counts of independent events.

    log p(x) = x log rate - rate - log x!

    Args:
        event_shape: Shape of one value, an int or a tuple.
        rate: Mean, positive.
        log_rate: Logarithm of the mean, in its place: what a linear predictor gives.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.Poisson(log_rate=0.0)
        assert abs(float(x.distribution().mean()) - 1.0) < 1e-6
        ```
    """

    def __init__(
        self, event_shape: EventShape = None, *, rate: ArrayLike = None, log_rate: ArrayLike = None, **kwargs: Any
    ):
        super().__init__("Poisson", event_shape, rate=rate, log_rate=log_rate, **kwargs)


@register
class NegativeBinomial(RandomVariable):
    """A negative binomial variable: counts that vary more than Poisson ones.

    log p(x) = log Γ(x + r) - log Γ(r) - log x! + x log probs + r log(1 - probs),   r = total_count

    Args:
        event_shape: Shape of one value, an int or a tuple.
        total_count: r, positive; large r is nearly a Poisson variable.
        logits: Log-odds; standard value 0.
        probs: Probability, in their place: the mean is r probs / (1 - probs).
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.NegativeBinomial(total_count=2.5, probs=0.5)
        assert abs(float(x.distribution().mean()) - 2.5) < 1e-5
        ```
    """

    def __init__(
        self,
        event_shape: EventShape = None,
        *,
        total_count: ArrayLike = None,
        logits: ArrayLike = None,
        probs: ArrayLike = None,
        **kwargs: Any,
    ):
        super().__init__("NegativeBinomial", event_shape, total_count=total_count, logits=logits, probs=probs, **kwargs)


@register
class ZeroInflatedPoisson(RandomVariable):
    """A Poisson variable with extra zeros: counts where some could never happen.

    p(x) = w [x = 0] + (1 - w) Poisson(x; rate),   w = inflated_loc_probs

    Args:
        event_shape: Shape of one value, an int or a tuple.
        rate: Mean of the Poisson part, positive.
        log_rate: Its logarithm, in its place.
        inflated_loc_logits: Log-odds of an extra zero; standard value 0.
        inflated_loc_probs: Probability of an extra zero, in their place.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.ZeroInflatedPoisson(rate=2.0, inflated_loc_probs=0.25)
        assert abs(float(x.distribution().mean()) - 1.5) < 1e-5
        ```
    """

    def __init__(
        self,
        event_shape: EventShape = None,
        *,
        rate: ArrayLike = None,
        log_rate: ArrayLike = None,
        inflated_loc_logits: ArrayLike = None,
        inflated_loc_probs: ArrayLike = None,
        **kwargs: Any,
    ):
        super().__init__(
            "ZeroInflatedPoisson",
            event_shape,
            rate=rate,
            log_rate=log_rate,
            inflated_loc_logits=inflated_loc_logits,
            inflated_loc_probs=inflated_loc_probs,
            **kwargs,
        )


@register
class ZeroInflatedNegativeBinomial(RandomVariable):
    """A negative binomial variable with extra zeros: overdispersed counts, such as of genes.

    p(x) = w [x = 0] + (1 - w) NegativeBinomial(x; total_count, probs),   w = inflated_loc_probs

    Args:
        event_shape: Shape of one value, an int or a tuple.
        total_count: r of the negative binomial part, positive.
        logits: Its log-odds; standard value 0.
        probs: Its probability, in their place.
        inflated_loc_logits: Log-odds of an extra zero; standard value 0.
        inflated_loc_probs: Probability of an extra zero, in their place.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.ZeroInflatedNegativeBinomial(total_count=2.0, probs=0.5, inflated_loc_probs=0.5)
        assert abs(float(x.distribution().mean()) - 1.0) < 1e-5
        ```
    """

    def __init__(
        self,
        event_shape: EventShape = None,
        *,
        total_count: ArrayLike = None,
        logits: ArrayLike = None,
        probs: ArrayLike = None,
        inflated_loc_logits: ArrayLike = None,
        inflated_loc_probs: ArrayLike = None,
        **kwargs: Any,
    ):
        super().__init__(
            "ZeroInflatedNegativeBinomial",
            event_shape,
            total_count=total_count,
            logits=logits,
            probs=probs,
            inflated_loc_logits=inflated_loc_logits,
            inflated_loc_probs=inflated_loc_probs,
            **kwargs,
        )
