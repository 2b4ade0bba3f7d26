"""Families of positive numbers, and of numbers above a bound."""

from kprob.backend import tfd
from kprob.distributions.families.parameters import DEGREES, LOC, SCALE, SHAPE
from kprob.distributions.family import Family, Parameter, register_family
from kprob.distributions.sampling import gamma_draws, samplers
from kprob.distributions.supports.supports import NONNEGATIVE, POSITIVE, half_line

LOG_RATE = Parameter()

register_family(
    Family(
        "LogNormal",
        tfd.LogNormal,
        {"loc": LOC, "scale": SCALE},
        distribution_class=tfd.LogNormal,
        sampler=samplers.log_normal,
        support=POSITIVE,
    )
)
register_family(
    Family(
        "HalfNormal",
        tfd.HalfNormal,
        {"scale": SCALE},
        distribution_class=tfd.HalfNormal,
        sampler=samplers.half_normal,
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
        sampler=samplers.half_cauchy,
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
        sampler=gamma_draws.half_student_t,
        support=half_line(lambda d: d.loc),
    )
)
register_family(
    Family(
        "Exponential",
        tfd.Exponential,
        {"rate": SCALE},
        distribution_class=tfd.Exponential,
        sampler=samplers.exponential,
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
        sampler=gamma_draws.gamma,
        support=POSITIVE,
    )
)
register_family(
    Family(
        "InverseGamma",
        tfd.InverseGamma,
        {"concentration": SHAPE, "scale": SCALE},
        distribution_class=tfd.InverseGamma,
        sampler=gamma_draws.inverse_gamma,
        support=POSITIVE,
    )
)
register_family(
    Family(
        "Chi2",
        tfd.Chi2,
        {"df": SHAPE},
        distribution_class=tfd.Chi2,
        sampler=gamma_draws.chi2,
        support=POSITIVE,
    )
)
register_family(
    Family(
        "Weibull",
        tfd.Weibull,
        {"concentration": SHAPE, "scale": SCALE},
        distribution_class=tfd.Weibull,
        sampler=samplers.weibull,
        support=POSITIVE,
    )
)
register_family(
    Family(
        "Pareto",
        tfd.Pareto,
        {"concentration": SHAPE, "scale": SCALE},
        distribution_class=tfd.Pareto,
        sampler=samplers.pareto,
        support=half_line(lambda d: d.scale),
    )
)
