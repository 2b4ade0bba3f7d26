"""Families of real numbers."""

from keras import ops

from kprob.backend import tfd
from kprob.distributions.families.parameters import DEGREES, LOC, SCALE
from kprob.distributions.family import Family, Parameter, register_family
from kprob.distributions.sampling import gamma_draws, samplers
from kprob.distributions.supports.supports import REAL, TOLERANCE, Support, numbers

register_family(
    Family(
        "Normal",
        tfd.Normal,
        {"loc": LOC, "scale": SCALE},
        distribution_class=tfd.Normal,
        sampler=samplers.normal,
        support=REAL,
    )
)
register_family(
    Family(
        "StudentT",
        tfd.StudentT,
        {"df": DEGREES, "loc": LOC, "scale": SCALE},
        distribution_class=tfd.StudentT,
        sampler=gamma_draws.student_t,
        support=REAL,
    )
)
register_family(
    Family(
        "Cauchy",
        tfd.Cauchy,
        {"loc": LOC, "scale": SCALE},
        distribution_class=tfd.Cauchy,
        sampler=samplers.cauchy,
        support=REAL,
    )
)
register_family(
    Family(
        "Laplace",
        tfd.Laplace,
        {"loc": LOC, "scale": SCALE},
        distribution_class=tfd.Laplace,
        sampler=samplers.laplace,
        support=REAL,
    )
)
register_family(
    Family(
        "Logistic",
        tfd.Logistic,
        {"loc": LOC, "scale": SCALE},
        distribution_class=tfd.Logistic,
        sampler=samplers.logistic,
        support=REAL,
    )
)
register_family(
    Family(
        "Gumbel",
        tfd.Gumbel,
        {"loc": LOC, "scale": SCALE},
        distribution_class=tfd.Gumbel,
        sampler=samplers.gumbel,
        support=REAL,
    )
)
register_family(
    Family(
        "SinhArcsinh",
        tfd.SinhArcsinh,
        {"loc": LOC, "scale": SCALE, "skewness": Parameter(0.0), "tailweight": SCALE},
        distribution_class=tfd.SinhArcsinh,
        support=REAL,
    )
)
register_family(
    Family(
        "ExponentiallyModifiedGaussian",
        tfd.ExponentiallyModifiedGaussian,
        {"loc": LOC, "scale": SCALE, "rate": SCALE},
        distribution_class=tfd.ExponentiallyModifiedGaussian,
        sampler=samplers.exponentially_modified_normal,
        support=REAL,
    )
)
register_family(
    Family(
        "Horseshoe",
        tfd.Horseshoe,
        {"scale": SCALE},
        distribution_class=tfd.Horseshoe,
        sampler=samplers.horseshoe,
        support=REAL,
    )
)
register_family(
    Family(
        "Deterministic",
        tfd.Deterministic,
        {"loc": Parameter()},
        distribution_class=tfd.Deterministic,
        sampler=samplers.deterministic,
        support=Support("one value", lambda d, x: ops.abs(numbers(d, x) - d.loc) <= TOLERANCE * (1.0 + ops.abs(d.loc))),
    )
)
