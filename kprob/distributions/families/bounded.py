"""Families of numbers between two bounds, and of angles."""

from collections.abc import Mapping

from kprob.backend import tfd
from kprob.distributions.corrected.truncated_normal import TruncatedNormal, truncated_normal
from kprob.distributions.families.parameters import SHAPE
from kprob.distributions.family import Family, Parameter
from kprob.distributions.registry import register_family
from kprob.distributions.sampling import bounded, gamma
from kprob.distributions.supports.continuous import ANGLE, UNIT, interval
from kprob.types import Tensor


def _above_low(value: Tensor, others: Mapping[str, Tensor]) -> Tensor:
    return others["low"] + value


def _in_between(value: Tensor, others: Mapping[str, Tensor]) -> Tensor:
    return others["low"] + (others["high"] - others["low"]) * value


register_family(
    Family(
        "Uniform",
        tfd.Uniform,
        {"low": Parameter(0.0), "high": Parameter(1.0, "positive", relate=_above_low)},
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
            "loc": Parameter(0.0),
            "scale": Parameter(1.0, "positive"),
            "low": Parameter(),
            "high": Parameter(constraint="positive", relate=_above_low),
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
        tfd.Triangular,
        {
            "low": Parameter(0.0),
            "high": Parameter(1.0, "positive", relate=_above_low),
            "peak": Parameter(0.5, "unit", relate=_in_between),
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
        {"loc": Parameter(0.0), "concentration": SHAPE},
        distribution_class=tfd.VonMises,
        support=ANGLE,
    )
)
