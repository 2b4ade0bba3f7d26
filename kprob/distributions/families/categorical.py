"""Families of classes: as integers, as one-hot vectors, as counts of each class, and their continuous relaxations."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from kprob.backend import tfd
from kprob.distributions.corrected.relaxed import RelaxedBernoulli, RelaxedOneHotCategorical
from kprob.distributions.families.parameters import LOC, TOTAL
from kprob.distributions.family import Family, Parameter, Relation, sized, vector
from kprob.distributions.registry import register_family
from kprob.distributions.sampling import categorical
from kprob.distributions.supports.continuous import SIMPLEX, UNIT
from kprob.distributions.supports.discrete import ONE_HOT, classes, count_vectors
from kprob.distributions.supports.support import Support, numbers
from kprob.types import ArrayLike, Distribution, Shape, Tensor

CLASS_LOGITS = Parameter(0.0, event_ndims=1, shape=sized("num_classes"))
CLASS_PROBS = Parameter(None, "simplex", 1, sized("num_classes"))
LOGITS, PROBS = Parameter(0.0, event_ndims=1, shape=vector), Parameter(None, "simplex", 1, vector)
TEMPERATURE = Parameter(None, "positive")
LOGITS_OR_PROBS = (("logits", "probs"),)
ASCENDING = Relation(
    "different numbers in ascending order", lambda value, others: np.asarray((np.diff(value) > 0).all(-1))
)


def _num_classes(distribution: Distribution) -> int:
    either = distribution.logits if distribution.probs is None else distribution.probs
    return either.shape[-1]


def _float_dtype(parameters: Mapping[str, Tensor]) -> Any:
    return parameters["logits" if "logits" in parameters else "probs"].dtype


def _categorical(num_classes: int | None = None, **parameters: Any) -> Distribution:
    return tfd.Categorical(**parameters)


def _one_hot_categorical(**parameters: Any) -> Distribution:
    return tfd.OneHotCategorical(dtype=_float_dtype(parameters), **parameters)


def _finite_discrete(num_classes: int | None = None, **parameters: Any) -> Distribution:
    return tfd.FiniteDiscrete(**parameters)


def _is_outcome(distribution: Distribution, value: ArrayLike) -> Tensor:
    gap = ops.abs(numbers(distribution, value)[..., None] - numbers(distribution, distribution.outcomes))
    return ops.any(gap <= 1e-6, axis=-1)


def _outcomes(distribution: Distribution) -> Tensor | None:
    if len(distribution.outcomes.shape) > 1:
        return None
    return ops.reshape(distribution.outcomes, (-1, *[1] * len(distribution.batch_shape)))


def _ordered_logistic(num_classes: int | None = None, **parameters: Any) -> Distribution:
    return tfd.OrderedLogistic(**parameters)


def _num_cutpoints(event: Shape, settings: Mapping[str, Any]) -> Shape:
    classes = settings["num_classes"]
    return (None if classes is None else classes - 1,)


def _spread_out(shape: Shape) -> np.ndarray:
    return np.linspace(-1.0, 1.0, shape[-1]) * 0.5 * shape[-1]


register_family(
    Family(
        "Categorical",
        _categorical,
        {"logits": CLASS_LOGITS, "probs": CLASS_PROBS},
        alternatives=LOGITS_OR_PROBS,
        discrete=True,
        dtype="int32",
        distribution_class=tfd.Categorical,
        sampler=categorical.categorical,
        support=classes(_num_classes),
        settings={"num_classes": None},
    )
)
register_family(
    Family(
        "OneHotCategorical",
        _one_hot_categorical,
        {"logits": LOGITS, "probs": PROBS},
        alternatives=LOGITS_OR_PROBS,
        event_ndims=1,
        discrete=True,
        distribution_class=tfd.OneHotCategorical,
        sampler=categorical.one_hot_categorical,
        support=ONE_HOT,
    )
)
register_family(
    Family(
        "OrderedLogistic",
        _ordered_logistic,
        {"cutpoints": Parameter(None, "ordered", 1, _num_cutpoints, start=_spread_out), "loc": LOC},
        discrete=True,
        dtype="int32",
        distribution_class=tfd.OrderedLogistic,
        sampler=categorical.ordered_logistic,
        support=classes(lambda d: d.cutpoints.shape[-1] + 1),
        settings={"num_classes": None},
    )
)
register_family(
    Family(
        "FiniteDiscrete",
        _finite_discrete,
        {
            "outcomes": Parameter(event_ndims=1, keep_integers=True, relation=ASCENDING),
            "logits": CLASS_LOGITS,
            "probs": CLASS_PROBS,
        },
        learned=("logits",),
        alternatives=LOGITS_OR_PROBS,
        discrete=True,
        distribution_class=tfd.FiniteDiscrete,
        sampler=categorical.finite_discrete,
        support=Support("outcomes", _is_outcome, values=_outcomes),
        settings={"num_classes": None},
    )
)
register_family(
    Family(
        "Multinomial",
        tfd.Multinomial,
        {"total_count": TOTAL, "logits": LOGITS, "probs": PROBS},
        learned=("logits",),
        alternatives=LOGITS_OR_PROBS,
        event_ndims=1,
        discrete=True,
        distribution_class=tfd.Multinomial,
        support=count_vectors(lambda d: d.total_count),
    )
)
register_family(
    Family(
        "DirichletMultinomial",
        tfd.DirichletMultinomial,
        {"total_count": TOTAL, "concentration": Parameter(None, "positive", 1, vector, start=1.0)},
        learned=("concentration",),
        event_ndims=1,
        discrete=True,
        distribution_class=tfd.DirichletMultinomial,
        support=count_vectors(lambda d: d.total_count),
    )
)
register_family(
    Family(
        "RelaxedBernoulli",
        RelaxedBernoulli,
        {"temperature": TEMPERATURE, "logits": Parameter(0.0), "probs": Parameter(None, "unit")},
        learned=("logits",),
        alternatives=LOGITS_OR_PROBS,
        distribution_class=tfd.RelaxedBernoulli,
        sampler=categorical.relaxed_bernoulli,
        support=UNIT,
    )
)
register_family(
    Family(
        "RelaxedOneHotCategorical",
        RelaxedOneHotCategorical,
        {"temperature": TEMPERATURE, "logits": LOGITS, "probs": PROBS},
        learned=("logits",),
        alternatives=LOGITS_OR_PROBS,
        event_ndims=1,
        distribution_class=tfd.RelaxedOneHotCategorical,
        sampler=categorical.relaxed_one_hot,
        support=SIMPLEX,
    )
)
