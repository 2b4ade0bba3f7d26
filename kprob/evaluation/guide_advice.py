"""What to try where an inference network isn't close to the posterior: something else than what the model has."""

from collections.abc import Callable

from kprob.guides import Delta, Group, Guide, Laplace, LowRankMultivariateNormal, MultivariateNormal, Normal, Particles
from kprob.guides.flows.flow import Flow

MANY = 500  # numbers whose covariance is a large matrix

NUTS = "draw from the posterior itself: model.compile(kprob.NUTS()).fit(data)"


def next_guide(guide: Guide | Callable | None, size: int | None, reparameterised: bool) -> str:
    """Says what to try next, in a sentence.

    Args:
        guide: The inference network that the model has.
        size: How many numbers the latents are, or None where it isn't known.
        reparameterised: Whether the model runs in another form already.
    """
    if isinstance(guide, Delta):
        return "A Delta guide is a point: try kprob.guides.Normal(), which has a spread."
    if isinstance(guide, Particles | Flow | Group):
        first = "more particles" if isinstance(guide, Particles) else "more epochs from another start"
        return f"Try {first}, {_form(reparameterised)}or {NUTS}."
    if isinstance(guide, MultivariateNormal | LowRankMultivariateNormal | Laplace):
        return f"Try a flow such as kprob.guides.NeuralSplineFlow(), {_form(reparameterised)}or {NUTS}."
    if size == 1:
        return f"Try more epochs or a q of another family, or {NUTS}."
    joint = "LowRankMultivariateNormal" if size is not None and size > MANY else "MultivariateNormal"
    what = "a guide that knows how latents depend on each other, such as"
    if isinstance(guide, Guide) and not isinstance(guide, Normal):
        what = "another guide, such as"
    return f"Try {what} kprob.guides.{joint}(), {_form(reparameterised)}or {NUTS}."


def _form(reparameterised: bool) -> str:
    return "" if reparameterised else "reparameterise the model, "
