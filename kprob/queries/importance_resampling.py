"""Importance resampling: draws of q, chosen anew so that they follow the posterior more closely than q does."""

import numpy as np

from kprob.backend.seeds import numpy_generator, seed_of
from kprob.checks import check_count
from kprob.data import Data
from kprob.diagnostics.pareto_smoothing import GOOD_K, Smoothed, pareto_smooth, systematic_resample
from kprob.engine import Networks
from kprob.errors import FitWarning, warn
from kprob.queries.importance_weights import check_latents, weigh
from kprob.queries.target import Target

PROPOSALS = 20
LEAST_PROPOSALS = 1000


def sample(
    networks: Networks, target: Target, data: Data, number: int, proposals: int | bool, seed: int | None
) -> dict[str, np.ndarray]:
    """Draws by importance resampling.

    Args:
        networks: The networks of a built model.
        target: What the query is about.
        data: The data.
        number: Draws wanted.
        proposals: Draws of q for each draw that is kept; True for 20. At least 1,000 are made.
        seed: An int, or None.

    Returns:
        Draws by site. Where rows have weights of their own, each row is resampled by itself.
    """
    if proposals is True:
        proposals = PROPOSALS
    check_count("importance_resample", proposals)
    posterior = target.kind == "posterior"
    if posterior:
        check_latents(networks, target.names)
    key = seed_of(seed, networks.host.seed_generator)
    made = max(LEAST_PROPOSALS, number * int(proposals))
    sites, predicted = (target.names, ()) if posterior else ((), target.names)
    weighted = weigh(networks, data, made, key, sites, predicted)
    smoothed = pareto_smooth(weighted.log_weights)
    _warn(networks.model_name, smoothed)
    generator = numpy_generator(key, 3)
    if smoothed.weights.ndim == 1:
        chosen = systematic_resample(smoothed.weights, number, generator)
        return {name: value[chosen] for name, value in weighted.values.items()}
    each = [systematic_resample(column, number, generator) for column in smoothed.weights.T]
    chosen = np.stack(each, axis=1)  # [number, B]
    rows = np.arange(chosen.shape[1])
    return {name: value[chosen, rows] for name, value in weighted.values.items()}


def _warn(model_name: str, smoothed: Smoothed) -> None:
    bad, k_hat = int(np.sum(smoothed.fail)), smoothed.k_hat
    if bad:
        where = f"k-hat {float(np.max(k_hat)):.2f}" if k_hat.ndim == 0 else f"k-hat in {bad} of {k_hat.size} rows"
        warn(
            f"Importance resampling may not mend this fit of {model_name}: {where} above {GOOD_K}, so that a few "
            "draws carry all weight. Choose a guide that is closer to the posterior; model.diagnose(data) says more.",
            FitWarning,
        )
