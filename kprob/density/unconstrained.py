"""A handler that gives latents the values of unconstrained numbers."""

from collections.abc import Mapping

import keras

from kprob import distributions
from kprob.effects import Handler, Site
from kprob.types import Tensor


class Unconstrained(Handler):
    """Gives each latent the value that its support's bijector makes of unconstrained numbers.

    A support may depend on other latents: the bijector is that of this very run. `log_det` sums the logarithms of the
    Jacobians' determinants, by which densities of values become densities of unconstrained numbers.

    Args:
        numbers: Unconstrained numbers by site.
        log_det: Logarithm of a Jacobian's determinant that the sum begins with.
    """

    def __init__(self, numbers: Mapping[str, Tensor], log_det: Tensor = 0.0):
        super().__init__()
        self.numbers = dict(numbers)
        self.log_det: Tensor = log_det

    def on_sample(self, site: Site) -> None:
        if site.value is not None or site.name not in self.numbers:
            return
        if distributions.is_discrete(site.distribution):
            self._set_discrete(site)
            return
        bijector = distributions.support_bijector(site.distribution)
        numbers = keras.ops.cast(self.numbers[site.name], keras.backend.standardize_dtype(site.distribution.dtype))
        site.value = bijector.forward(numbers)
        event_ndims = bijector.inverse_event_ndims(len(site.distribution.event_shape))
        log_det = bijector.forward_log_det_jacobian(numbers, event_ndims=event_ndims)
        # A constant Jacobian comes without the plates' axes, and counts once for each of their elements.
        sizes = tuple(plate.size for plate in site.plates)
        self.log_det = self.log_det + keras.ops.sum(keras.ops.broadcast_to(log_det, sizes) if sizes else log_det)

    def _set_discrete(self, site: Site) -> None:
        # The numbers are the value. TFP's densities say anything at all outside a support.
        site.value = keras.ops.cast(self.numbers[site.name], keras.backend.standardize_dtype(site.distribution.dtype))
        possible = distributions.contains(site.distribution, site.value)
        if possible is not None:
            self.log_det = self.log_det + keras.ops.where(keras.ops.all(possible), 0.0, -float("inf"))
