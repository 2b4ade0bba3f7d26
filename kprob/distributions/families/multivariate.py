"""Families of vectors and matrices."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from kprob.backend import tfd
from kprob.distributions import sets
from kprob.distributions.corrected.von_mises_fisher import VonMisesFisher
from kprob.distributions.families.parameters import identity
from kprob.distributions.family import Family, Parameter, Relation, matrix, vector
from kprob.distributions.registry import register_family
from kprob.distributions.sampling import gamma, multivariate
from kprob.distributions.supports.continuous import (
    CHOLESKY_FACTOR,
    CORRELATION_CHOLESKY,
    POSITIVE_DEFINITE,
    REAL_VECTOR,
    SIMPLEX,
    UNIT_VECTOR,
    either,
)
from kprob.types import Distribution, Shape, Tensor


def _first_axis(shape: Shape) -> np.ndarray:
    return np.eye(shape[-1], dtype="float32")[0]


def _low_rank_factor(event: Shape, settings: Mapping[str, Any]) -> Shape:
    return (event[-1], settings["rank"])


def _low_rank(rank: int | None = None, **parameters: Any) -> Distribution:
    return tfd.MultivariateNormalDiagPlusLowRankCovariance(**parameters)


def _full_covariance(loc: Tensor, covariance_matrix: Tensor) -> Distribution:
    return tfd.MultivariateNormalTriL(loc=loc, scale_tril=ops.cholesky(covariance_matrix))


def _student_t(df: Tensor, loc: Tensor, scale_tril: Tensor) -> Distribution:
    scale = tfd.MultivariateNormalTriL(loc=loc, scale_tril=scale_tril).scale
    return tfd.MultivariateStudentTLinearOperator(df=df, loc=loc, scale=scale)


def _degrees_above_size(value: Tensor, others: Mapping[str, Tensor]) -> Tensor:
    # TFP wants at least as many as rows.
    return others["scale_tril"].shape[-1] + value


def _cholesky_lkj(dimension: int, concentration: Tensor) -> Distribution:
    return tfd.CholeskyLKJ(dimension, concentration)


LOC = Parameter(0.0, event_ndims=1, shape=vector, allowed=sets.FINITE)
DIAGONAL = Parameter(1.0, "positive", 1, vector)
TRIANGLE = Parameter(identity, "lower_triangular", 2, matrix)
DEGREES_OF_SIZE = Parameter(
    None,
    "positive",
    relate=_degrees_above_size,
    allowed=sets.POSITIVE,
    relation=Relation(
        "a number above that of rows less 1",
        lambda value, others: value > others["scale_tril"].shape[-1] - 1,
        ("scale_tril",),
    ),
)
COVARIANCE = Parameter(identity, "positive_definite", 2, matrix)

register_family(
    Family(
        "MultivariateNormalDiag",
        tfd.MultivariateNormalDiag,
        {"loc": LOC, "scale_diag": DIAGONAL},
        event_ndims=1,
        distribution_class=tfd.MultivariateNormalDiag,
        sampler=multivariate.linear_normal,
        support=REAL_VECTOR,
    )
)
register_family(
    Family(
        "MultivariateNormalTriL",
        tfd.MultivariateNormalTriL,
        {"loc": LOC, "scale_tril": TRIANGLE},
        event_ndims=1,
        # Other multivariate normal distributions are subclasses of this one.
        distribution_class=tfd.MultivariateNormalLinearOperator,
        sampler=multivariate.linear_normal,
        support=REAL_VECTOR,
    )
)
register_family(
    Family(
        "MultivariateNormalFullCovariance",
        _full_covariance,
        {"loc": LOC, "covariance_matrix": COVARIANCE},
        event_ndims=1,
        distribution_class=tfd.MultivariateNormalFullCovariance,
        sampler=multivariate.linear_normal,
        support=REAL_VECTOR,
    )
)
register_family(
    Family(
        "MultivariateNormalLowRank",
        _low_rank,
        {
            "loc": LOC,
            "cov_diag_factor": DIAGONAL,
            # At zero the factor has no gradient, since it enters squared.
            "cov_perturb_factor": Parameter(None, "real", 2, _low_rank_factor, spread=0.1),
        },
        event_ndims=1,
        distribution_class=tfd.MultivariateNormalDiagPlusLowRankCovariance,
        sampler=multivariate.low_rank_normal,
        support=REAL_VECTOR,
        settings={"rank": None},
    )
)
register_family(
    Family(
        "MultivariateStudentT",
        _student_t,
        {"df": Parameter(None, "positive", start=4.0), "loc": LOC, "scale_tril": TRIANGLE},
        event_ndims=1,
        distribution_class=tfd.MultivariateStudentTLinearOperator,
        sampler=gamma.multivariate_student_t,
        support=REAL_VECTOR,
    )
)
register_family(
    Family(
        "Dirichlet",
        tfd.Dirichlet,
        {"concentration": Parameter(None, "positive", 1, vector, start=1.0)},
        event_ndims=1,
        distribution_class=tfd.Dirichlet,
        sampler=gamma.dirichlet,
        support=SIMPLEX,
    )
)
register_family(
    Family(
        "VonMisesFisher",
        VonMisesFisher,
        {
            "mean_direction": Parameter(_first_axis, "unit_vector", 1, vector),
            "concentration": Parameter(None, "positive", start=1.0),
        },
        event_ndims=1,
        distribution_class=tfd.VonMisesFisher,
        support=UNIT_VECTOR,
    )
)
register_family(
    Family(
        "LKJCholesky",
        _cholesky_lkj,
        {"concentration": Parameter(1.0, "at_least_one", allowed=sets.POSITIVE)},
        event_ndims=2,
        event=lambda shapes, settings: (None, None),
        from_event=lambda event: {"dimension": event[-1]},
        square=True,
        distribution_class=tfd.CholeskyLKJ,
        sampler=gamma.lkj_cholesky,
        reparameterized=True,
        support=CORRELATION_CHOLESKY,
    )
)
register_family(
    Family(
        "Wishart",
        tfd.WishartTriL,
        {"scale_tril": TRIANGLE, "df": DEGREES_OF_SIZE},
        event_ndims=2,
        square=True,
        distribution_class=tfd.WishartTriL,
        sampler=gamma.wishart,
        support=either(lambda d: d.input_output_cholesky, CHOLESKY_FACTOR, POSITIVE_DEFINITE),
    )
)
