"""Families of positive numbers, and of numbers above a bound."""

from kprob.backend import tfd
from kprob.distributions.families.parameters import DEGREES, LOC, SCALE, SHAPE
from kprob.distributions.family import Family, Parameter
from kprob.distributions.registry import register_family
from kprob.distributions.sampling import gamma, positive
from kprob.distributions.supports.continuous import NONNEGATIVE, POSITIVE, half_line

LOG_RATE = Parameter()

register_family(
    Family(
        "LogNormal",
        tfd.LogNormal,
        {"loc": LOC, "scale": SCALE},
        distribution_class=tfd.LogNormal,
        sampler=positive.log_normal,
        support=POSITIVE,
    )
)
register_family(
    Family(
        "HalfNormal",
        tfd.HalfNormal,
        {"scale": SCALE},
        distribution_class=tfd.HalfNormal,
        sampler=positive.half_normal,
        support=NONNEGATIVE,
    )
)
register_family(
    Family(
        "HalfCauchy",
        tfd.HalfCauchy,
        {"loc": LOC, "scale": SCALE},
        learned=("scale",),
        distribution_class=tfd.HalfCauchy,
        sampler=positive.half_cauchy,
        support=half_line(lambda d: d.loc),
    )
)
register_family(
    Family(
        "HalfStudentT",
        tfd.HalfStudentT,
        {"df": DEGREES, "loc": LOC, "scale": SCALE},
        learned=("df", "scale"),
        distribution_class=tfd.HalfStudentT,
        sampler=gamma.half_student_t,
        support=half_line(lambda d: d.loc),
    )
)
register_family(
    Family(
        "Exponential",
        tfd.Exponential,
        {"rate": SCALE},
        distribution_class=tfd.Exponential,
        sampler=positive.exponential,
        support=NONNEGATIVE,
    )
)
register_family(
    Family(
        "Gamma",
        tfd.Gamma,
        {"concentration": SHAPE, "rate": SCALE, "log_rate": LOG_RATE},
        alternatives=(("rate", "log_rate"),),
        distribution_class=tfd.Gamma,
        sampler=gamma.gamma,
        support=POSITIVE,
    )
)
register_family(
    Family(
        "InverseGamma",
        tfd.InverseGamma,
        {"concentration": SHAPE, "scale": SCALE},
        distribution_class=tfd.InverseGamma,
        sampler=gamma.inverse_gamma,
        support=POSITIVE,
    )
)
register_family(
    Family(
        "Chi2",
        tfd.Chi2,
        {"df": SHAPE},
        distribution_class=tfd.Chi2,
        sampler=gamma.chi2,
        support=POSITIVE,
    )
)
register_family(
    Family(
        "Weibull",
        tfd.Weibull,
        {"concentration": SHAPE, "scale": SCALE},
        distribution_class=tfd.Weibull,
        sampler=positive.weibull,
        support=POSITIVE,
    )
)
register_family(
    Family(
        "Pareto",
        tfd.Pareto,
        {"concentration": SHAPE, "scale": SCALE},
        distribution_class=tfd.Pareto,
        sampler=positive.pareto,
        support=half_line(lambda d: d.scale),
    )
)
