"""Parameters of a model's sites that can't be parameters, found when the model is built, whatever its latents are.

In a run of a model a parameter may follow from latents, and be impossible for one draw of them and possible for the next:
a sampler then refuses the one. What is impossible in every draw is a fault of the program.
"""

from collections.abc import Callable

from kprob import distributions
from kprob.backend import executing_eagerly
from kprob.distributions import sets
from kprob.effects import Trace
from kprob.errors import SiteError, explain

OTHER_DRAWS = 8


def check_parameters(trace: Trace, run: Callable[[int], Trace]) -> None:
    """Raises where a parameter of a site is impossible in every draw (eagerly only).

    Args:
        trace: A trace of a network.
        run: `seed -> trace` runs the network again, its latents drawn anew.

    Raises:
        SiteError: There is such a parameter.
    """
    if not executing_eagerly():
        return
    for site in trace.random_sites():
        # What is masked may be anything, and along time the past is a stand-in.
        if site.mask is not None or site.intervened or any(plate.is_time for plate in site.plates):
            continue
        found = distributions.find_impossible(site.distribution)
        if found is None:
            continue
        others = (run(seed) for seed in range(1, OTHER_DRAWS + 1))
        if all(_is_impossible(other, site.name) for other in others):
            raise found.error(site.name)


def _is_impossible(trace: Trace, name: str) -> bool:
    return name in trace.sites and distributions.find_impossible(trace[name].distribution) is not None


def no_cholesky(network: str, model_name: str, place: str) -> SiteError:
    """Returns the error on a matrix that a network takes the Cholesky factor of and that has none.

    Args:
        network: "generative" or "inference".
        model_name: Name of the model.
        place: Where in the network it happened, such as "after site `w`".
    """
    return SiteError(
        explain(
            f"A matrix in `{network}` of {model_name} has no Cholesky factor, {place}.",
            received="a matrix that isn't positive definite, for the values drawn there",
            expected=sets.POSITIVE_DEFINITE.expected,
            fix=sets.POSITIVE_DEFINITE.mend,
        )
    )
