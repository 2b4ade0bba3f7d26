"""From a latent's unconstrained values onto its support."""

from kprob import checks, distributions, effects
from kprob.backend import is_tensor, tfd
from kprob.errors import MismatchError, explain
from kprob.types import Bijector, Distribution


def constrain(base: Distribution, bijector: Bijector) -> Distribution:
    """Returns the distribution of a bijector's values; `base` itself where the bijector changes nothing."""
    return base if "Identity" in type(bijector).__name__ else tfd.TransformedDistribution(base, bijector)


def differs_from_run_to_run(bijector: Bijector) -> bool:
    """Whether a bijector is made from tensors, such as the values of other latents."""
    if any(is_tensor(value) for value in bijector.parameters.values()):
        return True
    # TFP's compound bijectors hold others under one of two names.
    inner = getattr(bijector, "bijectors", None)
    inner = inner if isinstance(inner, list | tuple) else [getattr(bijector, "bijector", None)]
    return any(differs_from_run_to_run(other) for other in inner if hasattr(other, "parameters"))


def require_continuous(site: effects.Site, guide: str) -> None:
    """Raises where a latent that a guide is to stand for is discrete.

    Args:
        site: The latent.
        guide: The guide's name, for the message.
    """
    if distributions.is_discrete(site.distribution):
        raise MismatchError(
            explain(
                f"The automatic guide {guide} can't stand for the discrete latent `{site.name}`.",
                received=f"a {type(site.distribution).__name__} in plates {checks.plates_text(site.plates)}",
                expected="continuous latents, and discrete ones that have finitely many values, known before running: "
                "these are summed out",
                fix=f"write `inference` with a discrete site `{site.name}`, or observe it in the data",
            )
        )
