"""Families of counts and of 0 and 1. Values are floats, so that they enter a network as they are."""

from keras import ops

from kprob.backend import random, tfd
from kprob.distributions.corrected.bernoulli import Bernoulli
from kprob.distributions.families.parameters import SHAPE
from kprob.distributions.family import Family, Parameter, register_family
from kprob.distributions.operations import contains
from kprob.distributions.sampling import samplers
from kprob.distributions.sampling.draws import draw, draw_shape
from kprob.distributions.supports.enumeration import up_to_total
from kprob.distributions.supports.supports import BINARY, Support, counts

LOGITS, PROBS = Parameter(0.0), Parameter(None, "unit")
COUNT = counts()
COUNT_UP_TO_TOTAL = counts(lambda d: d.total_count, up_to_total)


def _bernoulli(**parameters):
    given = parameters["logits"] if "logits" in parameters else parameters["probs"]
    return Bernoulli(dtype=given.dtype, **parameters)


def _negative_binomial(**parameters):
    return tfd.NegativeBinomial(require_integer_total_count=False, **parameters)


def _draw_negative_binomial(distribution, shape, seed):
    # A Poisson count with a gamma rate. TFP's own sampler can't be compiled by XLA.
    seeds = random.split(seed, 2)
    logits = ops.broadcast_to(distribution.logits_parameter(), shape)
    total = ops.broadcast_to(distribution.total_count, shape)
    rate = draw(tfd.Gamma(total, log_rate=-logits), (), seeds[0])
    return tfd.Poisson(rate).sample(seed=seeds[1])


def _zero_inflated(inner):
    # TFP's mixture wants the same batch shape everywhere.
    def constructor(inflated_loc_logits=None, inflated_loc_probs=None, **parameters):
        zero = sum(ops.zeros_like(value) for value in parameters.values())
        weight = zero + (inflated_loc_probs if inflated_loc_logits is None else inflated_loc_logits)
        parameters = {name: value + ops.zeros_like(weight) for name, value in parameters.items()}
        if inflated_loc_logits is None:
            return tfd.Inflated(inner(**parameters), inflated_loc_probs=weight)
        # TFP takes the log-odds twice (log-weights l and -l): halved, they are what the name says.
        return tfd.Inflated(inner(**parameters), inflated_loc_logits=weight / 2.0)

    return constructor


def _draw_inflated(distribution, shape, seed):
    seeds = random.split(seed, 2)
    probs = distribution.cat.probs_parameter()[..., 0]
    values = draw_shape(distribution.distribution, shape, seeds[0])
    at_loc = random.uniform(shape, seeds[1], probs.dtype) < probs
    return ops.where(at_loc, ops.cast(distribution.inflated_loc, values.dtype), values)


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
        sampler=samplers.bernoulli,
        support=BINARY,
    )
)
register_family(
    Family(
        "Binomial",
        tfd.Binomial,
        {"total_count": Parameter(), "logits": LOGITS, "probs": PROBS},
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
        {"total_count": Parameter(), "concentration1": SHAPE, "concentration0": SHAPE},
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
        sampler=samplers.geometric,
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
        sampler=_draw_negative_binomial,
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
        sampler=_draw_inflated,
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
        sampler=_draw_inflated,
        support=INFLATED,
    )
)
