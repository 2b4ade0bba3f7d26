"""Continuous families on the line. Loc-scale ones are drawn from kprob's own standard noise."""

from kprob.backend import batch_shape, random, tfb, tfd
from kprob.distributions.family import Family, Parameter, register_family


def _loc_scale_normal(distribution, sample_shape, seed):
    shape = (*sample_shape, *batch_shape(distribution))
    return distribution.loc + distribution.scale * random.normal(shape, seed, distribution.dtype)


def _half_normal(distribution, sample_shape, seed):
    shape = (*sample_shape, *batch_shape(distribution))
    return abs(distribution.scale * random.normal(shape, seed, distribution.dtype))


register_family(
    Family(
        "Normal",
        tfd.Normal,
        {"loc": Parameter(0.0), "scale": Parameter(1.0, "positive")},
        distribution_class=tfd.Normal,
        sampler=_loc_scale_normal,
        support=lambda d: tfb.Identity(),
    )
)
register_family(
    Family(
        "HalfNormal",
        tfd.HalfNormal,
        {"scale": Parameter(1.0, "positive")},
        distribution_class=tfd.HalfNormal,
        sampler=_half_normal,
        support=lambda d: tfb.Exp(),
        contains=lambda d, x: x >= 0,
    )
)
register_family(
    Family(
        "Gamma",
        tfd.Gamma,
        {"concentration": Parameter(None, "positive"), "rate": Parameter(1.0, "positive")},
        distribution_class=tfd.Gamma,
        support=lambda d: tfb.Exp(),
        contains=lambda d, x: x > 0,
    )
)
