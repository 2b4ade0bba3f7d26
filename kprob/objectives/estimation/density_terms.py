"""The terms of an objective: log-densities of sites, each with the latents on whose draws it may depend."""

from dataclasses import dataclass
from typing import Any

import keras

from kprob.effects import Site, Trace
from kprob.types import Tensor


@dataclass(frozen=True)
class DensityTerm:
    """A site's log-density times a number.

    Attributes:
        trace: The run that the site is from.
        site: The site.
        latents: Names of the latents whose values the density may depend on.
        coefficient: The number.
    """

    trace: Trace
    site: Site
    latents: frozenset[str]
    coefficient: Any = 1.0

    @property
    def total(self) -> Tensor:
        """The term's share of the objective: a scalar, or one number per draw."""
        return self.coefficient * self.trace.site_log_prob(self.site)


def terms_of(generative_trace: Trace, inference_trace: Trace) -> list[DensityTerm]:
    """Returns the terms of log p − log q.

    A network runs in order, so that a site can only depend on latents that were drawn before it, and on itself.
    """
    latents = {site.name for site in latents_of(inference_trace)}
    terms = []
    for trace, coefficient in ((generative_trace, 1.0), (inference_trace, -1.0)):
        seen: set[str] = set()
        for site in trace.weighed_sites():
            seen |= {site.name} & latents
            terms.append(DensityTerm(trace, site, frozenset(seen), coefficient))
    return terms


def latents_of(inference_trace: Trace) -> list[Site]:
    """Returns the sites of q that are drawn, in order."""
    return [site for site in inference_trace.random_sites() if not site.intervened]


def total(terms: list[DensityTerm], num_draws: int | None) -> Tensor:
    """Returns the sum of terms: a scalar, or one number per draw."""
    return sum((term.total for term in terms), keras.ops.zeros(() if num_draws is None else (num_draws,)))
