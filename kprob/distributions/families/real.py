"""Families of real numbers."""

from keras import ops

from kprob.backend import tfd
from kprob.distributions.corrected.exponentially_modified_normal import ExponentiallyModifiedGaussian
from kprob.distributions.families.parameters import DEGREES, LOC, SCALE
from kprob.distributions.family import Family, Parameter
from kprob.distributions.registry import register_family
from kprob.distributions.sampling import gamma, real
from kprob.distributions.supports.continuous import REAL, TOLERANCE
from kprob.distributions.supports.support import Support, numbers

register_family(
    Family(
        "Normal",
        tfd.Normal,
        {"loc": LOC, "scale": SCALE},
        distribution_class=tfd.Normal,
        sampler=real.normal,
        support=REAL,
    )
)
register_family(
    Family(
        "StudentT",
        tfd.StudentT,
        {"df": DEGREES, "loc": LOC, "scale": SCALE},
        distribution_class=tfd.StudentT,
        sampler=gamma.student_t,
        support=REAL,
    )
)
register_family(
    Family(
        "Cauchy",
        tfd.Cauchy,
        {"loc": LOC, "scale": SCALE},
        distribution_class=tfd.Cauchy,
        sampler=real.cauchy,
        support=REAL,
    )
)
register_family(
    Family(
        "Laplace",
        tfd.Laplace,
        {"loc": LOC, "scale": SCALE},
        distribution_class=tfd.Laplace,
        sampler=real.laplace,
        support=REAL,
    )
)
register_family(
    Family(
        "Logistic",
        tfd.Logistic,
        {"loc": LOC, "scale": SCALE},
        distribution_class=tfd.Logistic,
        sampler=real.logistic,
        support=REAL,
    )
)
register_family(
    Family(
        "Gumbel",
        tfd.Gumbel,
        {"loc": LOC, "scale": SCALE},
        distribution_class=tfd.Gumbel,
        sampler=real.gumbel,
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
        ExponentiallyModifiedGaussian,
        {"loc": LOC, "scale": SCALE, "rate": SCALE},
        distribution_class=tfd.ExponentiallyModifiedGaussian,
        sampler=real.exponentially_modified_normal,
        support=REAL,
    )
)
register_family(
    Family(
        "Horseshoe",
        tfd.Horseshoe,
        {"scale": SCALE},
        distribution_class=tfd.Horseshoe,
        sampler=real.horseshoe,
        support=REAL,
    )
)
register_family(
    Family(
        "Deterministic",
        tfd.Deterministic,
        {"loc": Parameter()},
        distribution_class=tfd.Deterministic,
        sampler=real.deterministic,
        support=Support("one value", lambda d, x: ops.abs(numbers(d, x) - d.loc) <= TOLERANCE * (1.0 + ops.abs(d.loc))),
    )
)
