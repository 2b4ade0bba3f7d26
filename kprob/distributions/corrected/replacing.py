"""The corrected distribution of each of TFP's that is wrong, wherever it stands inside others."""

from collections.abc import Callable, Mapping
from typing import Any

from kprob.backend import tfd
from kprob.distributions.corrected.exponentially_modified_normal import ExponentiallyModifiedGaussian
from kprob.distributions.corrected.extreme_value import GeneralizedExtremeValue
from kprob.distributions.corrected.gamma_gamma import GammaGamma
from kprob.distributions.corrected.inflated import inflated_of
from kprob.distributions.corrected.matrices import correlations_of, wishart_of
from kprob.distributions.corrected.triangular import Triangular
from kprob.distributions.corrected.truncated_normal import TruncatedNormal
from kprob.distributions.corrected.von_mises_fisher import VonMisesFisher
from kprob.types import Distribution


def _remade(cls: type) -> Callable[[Distribution], Distribution]:
    return lambda distribution: cls(**distribution.parameters)


_CORRECT: dict[type, Callable[[Distribution], Distribution]] = {
    tfd.ExponentiallyModifiedGaussian: _remade(ExponentiallyModifiedGaussian),
    tfd.GammaGamma: _remade(GammaGamma),
    tfd.GeneralizedExtremeValue: _remade(GeneralizedExtremeValue),
    tfd.Inflated: inflated_of,
    tfd.Inflated.__mro__[1]: inflated_of,  # around a distribution that TensorFlow can't see as a composite tensor
    tfd.LKJ: correlations_of,
    tfd.Triangular: _remade(Triangular),
    tfd.TruncatedNormal: _remade(TruncatedNormal),
    tfd.VonMisesFisher: _remade(VonMisesFisher),
    tfd.WishartTriL: wishart_of,
    tfd.ZeroInflatedNegativeBinomial: inflated_of,
}


def corrected(distribution: Distribution) -> Distribution:
    """Returns a distribution with kprob's corrections of TFP's; the same object where there are none.

    Args:
        distribution: A TFP distribution.
    """
    correct = _CORRECT.get(type(distribution))
    if correct is not None:
        distribution = correct(distribution)
    parameters = getattr(distribution, "parameters", None)
    changed = {}
    for name, part in parameters.items() if isinstance(parameters, Mapping) else ():
        other = _corrected_part(part)
        if other is not part:
            changed[name] = other
    return distribution.copy(**changed) if changed else distribution


def _corrected_part(part: Any) -> Any:
    if isinstance(part, tfd.Distribution):
        return corrected(part)
    if isinstance(part, list | tuple) and part and all(isinstance(one, tfd.Distribution) for one in part):
        parts = [corrected(one) for one in part]
        return parts if any(new is not old for new, old in zip(parts, part, strict=True)) else part
    return part
