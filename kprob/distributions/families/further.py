"""What the parameters and values may be of families of TFP that have no layer of their own."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from keras import ops

from kprob.backend import tfb, tfd
from kprob.distributions import sets
from kprob.distributions.families.from_class import family_from_class
from kprob.distributions.families.parameters import ABOVE_LOW, IN_BETWEEN
from kprob.distributions.family import Parameter, Relation
from kprob.distributions.registry import register_family
from kprob.distributions.sets import NumberSet
from kprob.distributions.supports.continuous import (
    CLOSED_UNIT,
    CORRELATION,
    POSITIVE,
    REAL,
    REAL_MATRIX,
    REAL_VECTOR,
    UNIT_VECTOR,
    interval,
)
from kprob.distributions.supports.discrete import (
    BINARY,
    BINARY_VECTOR,
    COUNT_FROM_ONE,
    INTEGER,
    PERMUTATION,
    classes,
    counts,
)
from kprob.distributions.supports.support import Support, numbers
from kprob.types import ArrayLike, Distribution, Tensor


def _extreme_value_contains(distribution: Distribution, value: ArrayLike) -> Tensor:
    value = numbers(distribution, value)
    inside = distribution.concentration * (value - distribution.loc) > -distribution.scale
    return ops.logical_and(inside, ops.isfinite(value))


def _pareto_contains(distribution: Distribution, value: ArrayLike) -> Tensor:
    above = numbers(distribution, value) >= distribution.loc
    return ops.logical_and(above, _extreme_value_contains(distribution, value))


def _quantized_contains(distribution: Distribution, value: ArrayLike) -> Tensor:
    value = numbers(distribution, value)
    inside = INTEGER.contains(distribution, value)
    if distribution.low is not None:
        inside = ops.logical_and(inside, value >= distribution.low)
    return inside if distribution.high is None else ops.logical_and(inside, value <= distribution.high)


def _tfp_bijector(distribution: Distribution) -> tfb.Bijector:
    return distribution.experimental_default_event_space_bijector()


def _is_few(value: np.ndarray, others: Mapping[str, np.ndarray]) -> np.ndarray:
    # The density of the mean of more uniform numbers is a sum whose terms cancel to nothing.
    return (value >= 1) & (value <= 20)


def _is_less_skewed(value: np.ndarray, others: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.abs(value) <= others["tailweight"]


def _know(
    cls: type, support: Support, discrete: bool = False, covariance: str | None = None, **known: Parameter
) -> None:
    # What TFP says of a class, with what it doesn't.
    family = family_from_class.__wrapped__(cls)
    parameters = {
        name: dataclasses.replace(parameter, allowed=known[name].allowed, relation=known[name].relation)
        if name in known
        else parameter
        for name, parameter in family.parameters.items()
    }
    register_family(
        dataclasses.replace(family, parameters=parameters, support=support, discrete=discrete, covariance=covariance),
        by_name=False,
    )


def _of(allowed: NumberSet, relation: Relation | None = None) -> Parameter:
    return Parameter(allowed=allowed, relation=relation)


LOW, HIGH = _of(sets.FINITE), _of(sets.FINITE, ABOVE_LOW)
BOUNDED = interval(lambda d: d.low, lambda d: d.high)
DIRECTION = _of(sets.UNIT_VECTOR)
POSITIVE_NUMBER, NUMBER = _of(sets.POSITIVE), _of(sets.FINITE)
PROCESS = "index_points"

_know(
    tfd.Bates,
    BOUNDED,
    total_count=_of(sets.COUNT, Relation("a whole number from 1 to 20; the mean of more is normal", _is_few)),
    low=LOW,
    high=HIGH,
)
_know(tfd.BetaQuotient, POSITIVE)
_know(tfd.Chi, POSITIVE)
_know(tfd.ContinuousBernoulli, CLOSED_UNIT)
_know(tfd.DeterminantalPointProcess, BINARY_VECTOR, discrete=True, eigenvalues=POSITIVE_NUMBER)
_know(tfd.DoublesidedMaxwell, REAL)
_know(tfd.ExpGamma, REAL)
_know(tfd.ExpInverseGamma, REAL)
_know(tfd.GammaGamma, POSITIVE)
_know(tfd.GaussianProcessRegressionModel, REAL_VECTOR, covariance=PROCESS)
_know(
    tfd.GeneralizedExtremeValue,
    Support("numbers on one side of a bound", _extreme_value_contains, _tfp_bijector, fixed=False),
)
_know(tfd.GeneralizedNormal, REAL)
_know(tfd.GeneralizedPareto, Support("numbers above a bound", _pareto_contains, _tfp_bijector, fixed=False))
_know(tfd.InverseGaussian, POSITIVE)
_know(tfd.LKJ, CORRELATION, concentration=POSITIVE_NUMBER)
_know(tfd.MatrixNormalLinearOperator, REAL_MATRIX)
_know(tfd.MatrixTLinearOperator, REAL_MATRIX)
_know(tfd.Moyal, REAL)
_know(tfd.NoncentralChi2, POSITIVE)
_know(
    tfd.NormalInverseGaussian,
    REAL,
    loc=NUMBER,
    scale=POSITIVE_NUMBER,
    tailweight=POSITIVE_NUMBER,
    skewness=_of(sets.FINITE, Relation("a number from -tailweight to tailweight", _is_less_skewed, ("tailweight",))),
)
_know(tfd.PERT, BOUNDED, low=LOW, high=HIGH, peak=_of(sets.FINITE, IN_BETWEEN), temperature=POSITIVE_NUMBER)
_know(tfd.PlackettLuce, PERMUTATION, discrete=True)
_know(tfd.PoissonLogNormalQuadratureCompound, counts(), discrete=True, loc=NUMBER, scale=POSITIVE_NUMBER)
_know(tfd.PowerSpherical, UNIT_VECTOR, mean_direction=DIRECTION, concentration=POSITIVE_NUMBER)
_know(tfd.ProbitBernoulli, BINARY, discrete=True)
_know(tfd.QuantizedDistribution, Support("integers in a range", _quantized_contains, fixed=False), discrete=True)
_know(tfd.SigmoidBeta, REAL)
_know(tfd.Skellam, INTEGER, discrete=True)
_know(tfd.SphericalUniform, UNIT_VECTOR)
_know(tfd.StoppingRatioLogistic, classes(lambda d: d.cutpoints.shape[-1] + 1), discrete=True)
_know(tfd.StudentTProcess, REAL_VECTOR, covariance=PROCESS)
_know(tfd.StudentTProcessRegressionModel, REAL_VECTOR, covariance=PROCESS)
_know(tfd.TruncatedCauchy, BOUNDED, loc=NUMBER, scale=POSITIVE_NUMBER, low=LOW, high=HIGH)
_know(tfd.TwoPieceNormal, REAL)
_know(tfd.TwoPieceStudentT, REAL)
_know(tfd.VariationalGaussianProcess, REAL_VECTOR)
_know(
    tfd.Zipf,
    COUNT_FROM_ONE,
    discrete=True,
    power=_of(sets.POSITIVE, Relation("a number above 1", lambda value, others: value > 1)),
)
