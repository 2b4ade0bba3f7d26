"""Families of counts and of 0 and 1. Values are floats, so that they enter a network as they are."""

from collections.abc import Callable
from typing import Any

from keras import ops

from kprob.backend import tfd
from kprob.distributions.corrected.bernoulli import Bernoulli
from kprob.distributions.corrected.inflated import Inflated
from kprob.distributions.families.parameters import SHAPE, TOTAL
from kprob.distributions.family import Family, Parameter
from kprob.distributions.registry import register_family
from kprob.distributions.sampling import counts
from kprob.distributions.supported_values import contains
from kprob.distributions.supports.discrete import BINARY
from kprob.distributions.supports.discrete import counts as count_support
from kprob.distributions.supports.finite import up_to_total
from kprob.distributions.supports.support import Support
from kprob.types import Distribution, Tensor

LOGITS, PROBS = Parameter(0.0), Parameter(None, "unit")
COUNT = count_support()
COUNT_UP_TO_TOTAL = count_support(lambda d: d.total_count, up_to_total)


def _bernoulli(**parameters: Any) -> Distribution:
    either = parameters["logits"] if "logits" in parameters else parameters["probs"]
    return Bernoulli(dtype=either.dtype, **parameters)


def _negative_binomial(**parameters: Any) -> Distribution:
    return tfd.NegativeBinomial(require_integer_total_count=False, **parameters)


def _zero_inflated(inner: Callable[..., Distribution]) -> Callable[..., Distribution]:
    # TFP's mixture wants the same batch shape everywhere.
    def constructor(
        inflated_loc_logits: Tensor = None, inflated_loc_probs: Tensor = None, **parameters: Any
    ) -> Distribution:
        zero = sum(ops.zeros_like(value) for value in parameters.values())
        weight = zero + (inflated_loc_probs if inflated_loc_logits is None else inflated_loc_logits)
        parameters = {name: value + ops.zeros_like(weight) for name, value in parameters.items()}
        scale = "probs" if inflated_loc_logits is None else "logits"
        return Inflated(inner(**parameters), **{f"inflated_loc_{scale}": weight})

    return constructor


INFLATED = Support(
    "counts",
    lambda d, x: ops.logical_or(ops.equal(x, d.inflated_loc), contains(d.distribution, x)),
)

register_family(
    Family(
        "Bernoulli",
        _bernoulli,
        {"logits": LOGITS, "probs": PROBS},
        alternatives=(("logits", "probs"),),
        discrete=True,
        distribution_class=tfd.Bernoulli,
        sampler=counts.bernoulli,
        support=BINARY,
    )
)
register_family(
    Family(
        "Binomial",
        tfd.Binomial,
        {"total_count": TOTAL, "logits": LOGITS, "probs": PROBS},
        learned=("logits",),
        alternatives=(("logits", "probs"),),
        discrete=True,
        distribution_class=tfd.Binomial,
        support=COUNT_UP_TO_TOTAL,
    )
)
register_family(
    Family(
        "BetaBinomial",
        tfd.BetaBinomial,
        {"total_count": TOTAL, "concentration1": SHAPE, "concentration0": SHAPE},
        learned=("concentration1", "concentration0"),
        discrete=True,
        distribution_class=tfd.BetaBinomial,
        support=COUNT_UP_TO_TOTAL,
    )
)
register_family(
    Family(
        "Geometric",
        tfd.Geometric,
        {"logits": LOGITS, "probs": PROBS},
        alternatives=(("logits", "probs"),),
        discrete=True,
        distribution_class=tfd.Geometric,
        sampler=counts.geometric,
        support=COUNT,
    )
)
register_family(
    Family(
        "Poisson",
        tfd.Poisson,
        {"rate": SHAPE, "log_rate": Parameter()},
        alternatives=(("rate", "log_rate"),),
        discrete=True,
        distribution_class=tfd.Poisson,
        support=COUNT,
    )
)
register_family(
    Family(
        "NegativeBinomial",
        _negative_binomial,
        {"total_count": SHAPE, "logits": LOGITS, "probs": PROBS},
        alternatives=(("logits", "probs"),),
        discrete=True,
        distribution_class=tfd.NegativeBinomial,
        sampler=counts.negative_binomial,
        support=COUNT,
    )
)
register_family(
    Family(
        "ZeroInflatedPoisson",
        _zero_inflated(tfd.Poisson),
        {"rate": SHAPE, "log_rate": Parameter(), "inflated_loc_logits": LOGITS, "inflated_loc_probs": PROBS},
        alternatives=(("rate", "log_rate"), ("inflated_loc_logits", "inflated_loc_probs")),
        discrete=True,
        distribution_class=tfd.Inflated,
        sampler=counts.inflated,
        support=INFLATED,
    )
)
register_family(
    Family(
        "ZeroInflatedNegativeBinomial",
        _zero_inflated(_negative_binomial),
        {
            "total_count": SHAPE,
            "logits": LOGITS,
            "probs": PROBS,
            "inflated_loc_logits": LOGITS,
            "inflated_loc_probs": PROBS,
        },
        alternatives=(("logits", "probs"), ("inflated_loc_logits", "inflated_loc_probs")),
        discrete=True,
        distribution_class=tfd.ZeroInflatedNegativeBinomial,
        sampler=counts.inflated,
        support=INFLATED,
    )
)
