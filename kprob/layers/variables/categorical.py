"""Random classes: as integers, one-hot vectors, counts of each class, and continuous relaxations."""

from typing import Any

from kprob.layers.event_shapes import EventShape
from kprob.layers.random_variable import RandomVariable
from kprob.saving import register
from kprob.types import ArrayLike


@register
class Categorical(RandomVariable):
    """A categorical variable: one of K classes, an int32 from 0 to K - 1.

    log p(x) = logits[x] - log Σₖ exp logits[k]

    Args:
        event_shape: Shape of one value, an int or a tuple.
        logits: Log-weights of the classes, shape (..., K); standard value 0.
        probs: Probabilities of the classes, in their place.
        num_classes: Number of classes K; only heads, free logits and standard values need it.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        label = layers.Categorical(probs=[0.0, 0.0, 1.0])
        assert int(label()) == 2
        ```
    """

    def __init__(
        self,
        event_shape: EventShape = None,
        *,
        logits: ArrayLike = None,
        probs: ArrayLike = None,
        num_classes: int | None = None,
        **kwargs: Any,
    ):
        super().__init__("Categorical", event_shape, logits=logits, probs=probs, num_classes=num_classes, **kwargs)


@register
class OneHotCategorical(RandomVariable):
    """A categorical variable as a vector of zeros with a one.

    log p(x) = Σₖ x[k] log probs[k]

    Args:
        event_shape: Shape of one value; the last axis has the K classes.
        logits: Log-weights of the classes, shape (..., K); standard value 0.
        probs: Probabilities of the classes, in their place.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        label = layers.OneHotCategorical(3, probs=[0.0, 0.0, 1.0])
        assert [float(value) for value in label()] == [0.0, 0.0, 1.0]
        ```
    """

    def __init__(
        self, event_shape: EventShape = None, *, logits: ArrayLike = None, probs: ArrayLike = None, **kwargs: Any
    ):
        super().__init__("OneHotCategorical", event_shape, logits=logits, probs=probs, **kwargs)


@register
class OrderedLogistic(RandomVariable):
    """An ordered class, an int32 from 0 to K - 1: answers on a scale, grades.

    p(x ≥ k) = sigmoid(loc - cutpoints[k - 1])

    Args:
        event_shape: Shape of one value, an int or a tuple.
        cutpoints: Increasing thresholds, shape (..., K - 1).
        loc: Location of the latent variable that the thresholds cut; standard value 0.
        num_classes: Number of classes K; only learned cutpoints need it.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        import keras
        from kprob import layers

        grade = layers.OrderedLogistic(cutpoints="learned", num_classes=4)  # loc from features
        assert grade(keras.ops.ones((5, 2))).shape == (5,)
        ```
    """

    def __init__(
        self,
        event_shape: EventShape = None,
        *,
        cutpoints: ArrayLike = None,
        loc: ArrayLike = None,
        num_classes: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            "OrderedLogistic",
            event_shape,
            cutpoints=cutpoints,
            loc=loc,
            num_classes=num_classes,
            **kwargs,
        )


@register
class FiniteDiscrete(RandomVariable):
    """A variable with finitely many values, whatever they are.

    log p(x) = log probs[k] where x = outcomes[k]

    Args:
        event_shape: Shape of one value, an int or a tuple.
        outcomes: The values, shape (K,); integers stay integers.
        logits: Log-weights of the outcomes, shape (..., K); standard value 0.
        probs: Probabilities of the outcomes, in their place.
        num_classes: Number of classes K; only heads, free logits and standard values need it.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        coin = layers.FiniteDiscrete(outcomes=[0.05, 0.25], probs=[0.0, 1.0])
        assert abs(float(coin()) - 0.25) < 1e-6
        ```
    """

    def __init__(
        self,
        event_shape: EventShape = None,
        *,
        outcomes: ArrayLike = None,
        logits: ArrayLike = None,
        probs: ArrayLike = None,
        num_classes: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            "FiniteDiscrete",
            event_shape,
            outcomes=outcomes,
            logits=logits,
            probs=probs,
            num_classes=num_classes,
            **kwargs,
        )


@register
class Multinomial(RandomVariable):
    """A multinomial variable: how often each of K classes came in a number of trials.

    log p(x) = log n! + Σₖ (x[k] log probs[k] - log x[k]!),   n = total_count = Σₖ x[k]

    Args:
        event_shape: Shape of one value; the last axis has the K classes.
        total_count: Number of trials n.
        logits: Log-weights of the classes, shape (..., K); standard value 0.
        probs: Probabilities of the classes, in their place.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        words = layers.Multinomial(3, total_count=50, probs=[0.2, 0.3, 0.5])
        assert float(sum(words())) == 50.0
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
        super().__init__("Multinomial", event_shape, total_count=total_count, logits=logits, probs=probs, **kwargs)


@register
class DirichletMultinomial(RandomVariable):
    """A multinomial variable whose probabilities are a Dirichlet one: bursty counts.

    log p(x) = log n! + log B(concentration + x) - log B(concentration) - Σₖ log x[k]!,   n = total_count

    Args:
        event_shape: Shape of one value; the last axis has the K classes.
        total_count: Number of trials n.
        concentration: Concentration of each class, positive, shape (..., K).
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        words = layers.DirichletMultinomial(3, total_count=50, concentration=1.0)
        assert float(sum(words())) == 50.0
        ```
    """

    def __init__(
        self,
        event_shape: EventShape = None,
        *,
        total_count: ArrayLike = None,
        concentration: ArrayLike = None,
        **kwargs: Any,
    ):
        super().__init__(
            "DirichletMultinomial",
            event_shape,
            total_count=total_count,
            concentration=concentration,
            **kwargs,
        )


@register
class RelaxedBernoulli(RandomVariable):
    """A Bernoulli variable made continuous, so that gradients flow through it (Maddison et al. 2017).

    x = sigmoid((logits + l) / temperature),   l ~ Logistic(0, 1)

    Args:
        event_shape: Shape of one value, an int or a tuple.
        temperature: How continuous it is, positive; towards 0 values are 0 and 1.
        logits: Log-odds of a 1; standard value 0.
        probs: Probability of a 1, in their place.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.RelaxedBernoulli(temperature=0.5, logits=2.0)
        assert 0.0 < float(x()) < 1.0
        ```
    """

    def __init__(
        self,
        event_shape: EventShape = None,
        *,
        temperature: ArrayLike = None,
        logits: ArrayLike = None,
        probs: ArrayLike = None,
        **kwargs: Any,
    ):
        super().__init__("RelaxedBernoulli", event_shape, temperature=temperature, logits=logits, probs=probs, **kwargs)


@register
class RelaxedOneHotCategorical(RandomVariable):
    """A one-hot categorical variable made continuous (Jang et al. 2017, Maddison et al. 2017).

    x = softmax((logits + g) / temperature),   g ~ Gumbel(0, 1)

    Args:
        event_shape: Shape of one value; the last axis has the K classes.
        temperature: How continuous it is, positive; towards 0 values are one-hot.
        logits: Log-weights of the classes, shape (..., K); standard value 0.
        probs: Probabilities of the classes, in their place.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.RelaxedOneHotCategorical(3, temperature=0.5)
        assert abs(float(sum(x())) - 1.0) < 1e-5
        ```
    """

    def __init__(
        self,
        event_shape: EventShape = None,
        *,
        temperature: ArrayLike = None,
        logits: ArrayLike = None,
        probs: ArrayLike = None,
        **kwargs: Any,
    ):
        super().__init__(
            "RelaxedOneHotCategorical",
            event_shape,
            temperature=temperature,
            logits=logits,
            probs=probs,
            **kwargs,
        )
