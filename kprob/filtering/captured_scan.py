"""A handler that captures the scan of a network, so that a filter can run its steps one by one."""

from typing import Any

from kprob.effects import Handler, Site, Steps
from kprob.errors import SiteError, explain


class CapturedScan(Handler):
    """Captures the scan of a network: keeps it, and returns numbers of the right shape in its place.

    Args:
        of: Which network, for messages.
    """

    def __init__(self, of: str):
        super().__init__()
        self.of = of
        self.steps: Steps | None = None
        self.before: list[Site] = []

    def on_scan(self, site: Site) -> None:
        if site.mask is not None or not (isinstance(site.scale, float) and site.scale == 1.0):
            raise SiteError(
                explain(
                    f"A particle filter can't weigh the scan `{site.name}` of {self.of}: a mask or a scale is around it.",
                    received="kprob.handlers.mask or kprob.handlers.scale outside of the steps",
                    expected="handlers inside the steps: each step is weighed by its own data",
                    fix="open the handler in the function that is scanned",
                )
            )
        site.value = self._take

    def after_site(self, site: Site) -> None:
        if not site.is_weighed or site.intervened:
            return
        if self.steps is not None:
            raise SiteError(
                explain(
                    f"`{site.name}` is declared after the scan `{self.steps.name}`, and a particle filter can't weigh it.",
                    received=f"`{site.name}` in {self.of}, outside the steps",
                    expected="all that depends on the steps inside them: then each step is weighed by its own data",
                    fix=f"declare `{site.name}` in the function that is scanned",
                )
            )
        self.before.append(site)

    def _take(self, steps: Steps) -> Any:
        if self.steps is not None:
            raise SiteError(
                explain(
                    f"A particle filter goes along one scan, and {self.of} has two.",
                    received=f"`{self.steps.name}` and `{steps.name}`",
                    expected="one `kprob.scan`",
                    fix="put both into one step, which returns both of their states",
                )
            )
        self.steps = steps
        return steps.carry
