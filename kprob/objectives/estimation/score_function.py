"""The score function: gradients through draws that don't move with their parameters, such as coins and categories.

    ∇ E_q[f] = E_q[f ∇ log q(z)] + E_q[∇ f]

The first part has a large variance, and most of f is only noise in it: E_q[c ∇ log q(z)] = 0 for every c that doesn't
depend on z. So each latent's score is multiplied by those terms of f alone that can depend on it. A term that was drawn
before can't; nor can one at another place along a plate that both are in, since a plate is an axis of independence
where no network looks across it (Rao-Blackwellisation; Ranganath, Gerrish and Blei 2014; Schulman, Heess, Weber and
Abbeel 2015). What is left is lowered by a baseline, a guess of the terms that doesn't see the draw.
"""

import keras

from kprob import distributions
from kprob.effects import Site, Trace
from kprob.objectives.baselines.baselines import Baselines
from kprob.objectives.estimation.density_terms import DensityTerm, latents_of
from kprob.types import Tensor

stop = keras.ops.stop_gradient


def unreparameterized_latents(inference_trace: Trace) -> list[Site]:
    """Returns the latents of q whose draws don't move with their parameters."""
    return [s for s in latents_of(inference_trace) if not distributions.is_reparameterized(s.distribution)]


def score_function_term(
    terms: list[DensityTerm], generative_trace: Trace, inference_trace: Trace, baselines: Baselines | None = None
) -> Tensor:
    """Returns a number that is zero and whose gradient is the score function's share.

    Args:
        terms: The objective's terms.
        generative_trace: Trace of p.
        inference_trace: Trace of q.
        baselines: What is subtracted from the terms.

    Returns:
        A scalar, or one number per draw.
    """
    result = 0.0
    for site in unreparameterized_latents(inference_trace):
        signal = signal_of(site, terms, inference_trace)
        if baselines is not None:
            guess = baselines.guess(site, generative_trace, inference_trace)
            result = result + zero_with_gradient(
                _sum_over_plates(-keras.ops.square(stop(signal) - guess), site, inference_trace)
            )
            signal = signal - guess
        result = result + _sum_over_plates(stop(signal) * zero_with_gradient(score_of(site)), site, inference_trace)
    return result


def signal_of(site: Site, terms: list[DensityTerm], inference_trace: Trace) -> Tensor:
    """Returns what a latent's score is multiplied by: the sum of the terms that can depend on it.

    Args:
        site: The latent.
        terms: The objective's terms.
        inference_trace: Trace of q.

    Returns:
        One number for each element of the site's plates. Inside the data plate it is about one row, not scaled up.
    """
    latents = latents_of(inference_trace)
    order = {latent.name: position for position, latent in enumerate(latents)}
    signal = keras.ops.zeros([1] * len(site.plates))
    for term in terms:
        last = max((order[name] for name in term.latents), default=-1)
        if last < order[site.name]:
            continue  # all of it was drawn before
        if inference_trace.num_draws is not None and not term.site.in_data_plate:
            continue  # draws share it, so that it depends on none
        between = latents[order[site.name] : last + 1]
        shared = [
            p.name
            for p in site.plates
            if p.name not in inference_trace.coupled
            and all(any(p.name == o.name for o in s.plates) for s in [term.site, *between])
        ]
        signal = signal + _aligned(term, site, shared)
    return signal


def score_of(site: Site) -> Tensor:
    """Returns log q of a latent's draw, one number for each element of its plates; unscaled, as it was drawn."""
    plain = site.mask is None and isinstance(site.scale, float) and site.scale == 1.0
    return site.log_prob() if plain else site.distribution.log_prob(site.value)


def zero_with_gradient(value: Tensor) -> Tensor:
    """Returns zero with the gradient of a value."""
    return value - stop(value)


def _aligned(term: DensityTerm, site: Site, shared: list[str]) -> Tensor:
    # The term along the plates that it shares with the site, in the site's order; summed over its others.
    value, plates = term.site.log_prob(), list(term.site.plates)
    data = plates[0] if plates and plates[0].is_data else None
    if data is not None and data.weights is not None:
        weights = keras.ops.cast(data.weights, value.dtype)
        value = value * keras.ops.reshape(weights, (-1, *[1] * (len(value.shape) - 1)))
    others = [axis for axis, plate in enumerate(plates) if plate.name not in shared]
    if others:
        value = keras.ops.sum(value, axis=tuple(others))
        if data is not None and data.name not in shared:
            value = value * data.scale
    kept = [plate.name for plate in plates if plate.name in shared]
    value = keras.ops.transpose(value, [kept.index(name) for name in shared]) if len(kept) > 1 else value
    for axis, plate in enumerate(site.plates):
        if plate.name not in shared:
            value = keras.ops.expand_dims(value, axis)
    return term.coefficient * value


def _sum_over_plates(value: Tensor, site: Site, trace: Trace) -> Tensor:
    # Rows count for as many rows of the whole data set as the plate says; the term's own weights are in it already.
    if not site.in_data_plate:
        return keras.ops.sum(value)
    if len(value.shape) > 1:
        value = keras.ops.sum(value, axis=tuple(range(1, len(value.shape))))
    rows = value if trace.num_draws is None else keras.ops.reshape(value, (trace.num_draws, -1))
    return keras.ops.sum(rows, axis=-1) * site.plates[0].scale
