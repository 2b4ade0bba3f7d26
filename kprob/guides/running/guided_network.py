"""The generative network with its latents drawn by a guide, for supports that depend on other latents."""

from collections.abc import Callable, Collection

from kprob import distributions, effects
from kprob.types import Bijector, Tensor


class GuidedNetwork(effects.Handler):
    """Has a guide draw each latent, on the support that its own distribution has in this run; hides the network's sites.

    Args:
        latents: Names of the guide's latents.
        draw: `(name, bijector) -> value` draws a latent.
    """

    def __init__(self, latents: Collection[str], draw: Callable[[str, Bijector], Tensor]):
        super().__init__()
        self.latents, self.draw, self.drawing = latents, draw, False

    def on_sample(self, site: effects.Site) -> None:
        if self.drawing:
            return
        if site.value is None and site.name in self.latents:
            self.drawing = True
            try:
                site.value = self.draw(site.name, distributions.support_bijector(site.distribution))
            finally:
                self.drawing = False
        site.hidden = True
