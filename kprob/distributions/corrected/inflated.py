"""A family with more of one value: P(X = l) = w + (1 − w) p(l), P(X = x) = (1 − w) p(x) elsewhere, logit w = `inflated_loc_logits`.

TFP takes the logits twice, for the value and with the other sign for the rest: its weight is that of 2 logit w.
"""

from typing import Any

from keras import ops

from kprob.backend import tfd
from kprob.types import Distribution, Tensor


class Inflated(tfd.Inflated):
    """`tfd.Inflated` whose weight has the logits that are given."""

    def __init__(
        self,
        distribution: Distribution,
        inflated_loc_logits: Tensor = None,
        inflated_loc_probs: Tensor = None,
        inflated_loc: Tensor = 0.0,
        **options: Any,
    ):
        if isinstance(inflated_loc_logits, list | tuple):
            inflated_loc_logits = ops.convert_to_tensor(inflated_loc_logits, dtype=distribution.dtype)
        halved = None if inflated_loc_logits is None else inflated_loc_logits / 2.0
        super().__init__(distribution, halved, inflated_loc_probs, inflated_loc, **options)
        self._parameters = {
            "distribution": distribution,
            "inflated_loc_logits": inflated_loc_logits,
            "inflated_loc_probs": inflated_loc_probs,
            "inflated_loc": inflated_loc,
            **options,
        }

    @property
    def inflated_loc_logits(self) -> Tensor:
        """The logits of the weight of the one value, as they were given."""
        return None if self._inflated_loc_logits is None else 2.0 * self._inflated_loc_logits


def inflated_of(distribution: Distribution) -> Inflated:
    """Returns a `tfd.Inflated`, or a subclass of it such as `tfd.ZeroInflatedNegativeBinomial`, with the weight that it names.

    Args:
        distribution: The distribution.
    """
    given = distribution.parameters
    return Inflated(
        distribution.distribution,
        given.get("inflated_loc_logits"),
        given.get("inflated_loc_probs"),
        distribution.inflated_loc,
        inflated_loc_atol=given.get("inflated_loc_atol"),
        inflated_loc_rtol=given.get("inflated_loc_rtol"),
    )
