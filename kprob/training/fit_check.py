"""One line of warning at the end of a fit that went badly, from what the fit has logged: it runs no network.

The ELBO of a full-batch epoch with one draw is log p(x, z) − log q(z), an importance weight. So the last epochs of such a fit
are a sample of weights, of a q that hardly moves any more, and their tail's k-hat comes for nothing.
"""

import keras
import numpy as np

from kprob.diagnostics.pareto_smoothing import pareto_smooth
from kprob.diagnostics.trend import Trend, trend
from kprob.engine import Networks
from kprob.errors import FitWarning, warn
from kprob.objectives import ELBO, FunctionObjective, Objective

LEAST_EPOCHS = 50  # fits of a few epochs are meant to be short
LEAST_WEIGHTS = 400
MOST_WEIGHTS = 1000
RECORD_END = 4000
BAD_K = 1.0  # the weights have no mean: far beyond 0.7, where `diagnose` begins to doubt
SURE = 5.0  # standard errors
NATS = 1.0
SHARE = 0.05


def check_fit(networks: Networks, objective: Objective, history: keras.callbacks.History, steps: int) -> None:
    """Warns where a fit ended badly.

    Args:
        networks: The model's networks.
        objective: What was maximised.
        history: What the fit logged.
        steps: Steps of an epoch.
    """
    record = np.asarray(history.history.get("elbo", ())[-RECORD_END:], "float64")
    if len(record) < LEAST_EPOCHS or not np.isfinite(record).all():
        return
    spec = networks.require_spec()
    number = spec.num_data or 1
    elbo_trend = trend(record)
    if _rises_steeply(elbo_trend, number):
        warn(
            f"The ELBO of {networks.model_name} still rose steeply when `fit` ended, by {elbo_trend.rise:.3g} per datum over "
            f"the last quarter of {len(record)} epochs: fit for longer, or with a larger learning rate.",
            FitWarning,
        )
        return
    if not spec.latents:  # there are no weights: the ELBO is a density
        return
    if steps > 1 or spec.local or type(objective) not in (ELBO, FunctionObjective):
        return
    if objective.num_samples > 1 or len(record) < 2 * LEAST_WEIGHTS:
        return
    smoothed = pareto_smooth(number * record[-min(MOST_WEIGHTS, len(record) // 2) :])
    k_hat = float(smoothed.k_hat)
    if k_hat > BAD_K and smoothed.fail:
        warn(
            f"The posterior of {networks.model_name} isn't to be trusted: k-hat is about {k_hat:.1f}, and should be below "
            "0.7; print(model.diagnose(data)) says more, fit(check=False) says nothing.",
            FitWarning,
        )


def _rises_steeply(found: Trend, number: int) -> bool:
    sure = found.rise > SURE * found.error  # False where the error is NaN
    return bool(sure and found.rise * number > NATS and found.rise > SHARE * found.whole_rise)
