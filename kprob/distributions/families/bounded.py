"""Families of numbers between two bounds, and of angles."""

from collections.abc import Mapping

from kprob.backend import tfd
from kprob.distributions import sets
from kprob.distributions.corrected.triangular import Triangular
from kprob.distributions.corrected.truncated_normal import TruncatedNormal, truncated_normal
from kprob.distributions.families.parameters import ABOVE_LOW, IN_BETWEEN, LOC, SCALE, SHAPE
from kprob.distributions.family import Family, Parameter
from kprob.distributions.registry import register_family
from kprob.distributions.sampling import bounded, gamma
from kprob.distributions.supports.continuous import ANGLE, UNIT, interval
from kprob.types import Tensor


def _above_low(value: Tensor, others: Mapping[str, Tensor]) -> Tensor:
    return others["low"] + value


def _in_between(value: Tensor, others: Mapping[str, Tensor]) -> Tensor:
    return others["low"] + (others["high"] - others["low"]) * value


LOW = Parameter(0.0, allowed=sets.FINITE)
HIGH = Parameter(1.0, "positive", relate=_above_low, allowed=sets.FINITE, relation=ABOVE_LOW)

register_family(
    Family(
        "Uniform",
        tfd.Uniform,
        {"low": LOW, "high": HIGH},
        distribution_class=tfd.Uniform,
        sampler=bounded.uniform,
        support=interval(lambda d: d.low, lambda d: d.high),
    )
)
register_family(
    Family(
        "TruncatedNormal",
        TruncatedNormal,
        {
            "loc": LOC,
            "scale": SCALE,
            # They may be infinite.
            "low": Parameter(),
            "high": Parameter(constraint="positive", relate=_above_low, relation=ABOVE_LOW),
        },
        learned=("loc", "scale"),
        distribution_class=tfd.TruncatedNormal,
        sampler=truncated_normal,
        support=interval(lambda d: d.low, lambda d: d.high),
    )
)
register_family(
    Family(
        "Triangular",
        Triangular,
        {
            "low": LOW,
            "high": HIGH,
            "peak": Parameter(0.5, "unit", relate=_in_between, relation=IN_BETWEEN),
        },
        distribution_class=tfd.Triangular,
        sampler=bounded.triangular,
        support=interval(lambda d: d.low, lambda d: d.high, closed=False),
    )
)
register_family(
    Family(
        "Beta",
        tfd.Beta,
        {"concentration1": SHAPE, "concentration0": SHAPE},
        distribution_class=tfd.Beta,
        sampler=gamma.beta,
        support=UNIT,
    )
)
register_family(
    Family(
        "Kumaraswamy",
        tfd.Kumaraswamy,
        {"concentration1": Parameter(1.0, "positive"), "concentration0": Parameter(1.0, "positive")},
        distribution_class=tfd.Kumaraswamy,
        sampler=bounded.kumaraswamy,
        support=UNIT,
    )
)
register_family(
    Family(
        "VonMises",
        tfd.VonMises,
        {"loc": LOC, "concentration": SHAPE},
        distribution_class=tfd.VonMises,
        support=ANGLE,
    )
)
