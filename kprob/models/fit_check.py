"""One line of warning at the end of a fit that went badly, from what the fit has logged: it runs no network.

Of a sampler's draws, R-hat, the effective sample size and divergences are logged, and say it themselves.

The ELBO of a full-batch epoch with one draw is log p(x, z) − log q(z), an importance weight. So the last epochs of such a fit
are a sample of weights, of a q that hardly moves any more, and their tail's k-hat comes for nothing.
"""

import keras
import numpy as np

from kprob.diagnostics.smoothing import pareto_smooth
from kprob.diagnostics.trend import Trend, trend
from kprob.errors import FitWarning, warn
from kprob.models.owner import owner_of
from kprob.objectives import ELBO, FunctionObjective

LEAST_EPOCHS = 50  # fits of a few epochs are meant to be short
LEAST_WEIGHTS = 400
MOST_WEIGHTS = 1000
RECORD_END = 4000
BAD_K = 1.0  # the weights have no mean: far beyond 0.7, where `diagnose` begins to doubt
SURE = 5.0  # standard errors
NATS = 1.0
SHARE = 0.05

# Of draws, where `diagnose` begins to doubt, and what noise there is in a shorter run.
MAX_RHAT = 1.01
RHAT_NOISE = 2.0  # over the effective draws of a chain: what R-hat is above 1 where chains agree
ESS_PER_CHAIN = 100
ESS_SHARE = 0.1
DIVERGENT_SHARE = 0.002
LEAST_DRAWS = 100


def check_fit(model, history: keras.callbacks.History, steps: int) -> None:
    """Warns where a fit ended badly.

    Args:
        model: The model.
        history: What the fit logged.
        steps: Steps of an epoch.
    """
    record = np.asarray(history.history.get("elbo", ())[-RECORD_END:], "float64")
    if len(record) < LEAST_EPOCHS or not np.isfinite(record).all():
        return
    spec = model.__dict__["_spec"]
    number = spec.num_data or 1
    found = trend(record)
    if _rises_steeply(found, number):
        warn(
            f"The ELBO of {owner_of(model)} still rose steeply when `fit` ended, by {found.rise:.3g} per datum over "
            f"the last quarter of {len(record)} epochs: fit for longer, or with a larger learning rate.",
            FitWarning,
        )
        return
    if steps > 1 or spec.foldable or type(model.objective) not in (ELBO, FunctionObjective):
        return
    if model.objective.num_samples > 1 or len(record) < 2 * LEAST_WEIGHTS:
        return
    k_hat = float(pareto_smooth(number * record[-min(MOST_WEIGHTS, len(record) // 2) :]).k_hat)
    if k_hat > BAD_K:
        warn(
            f"The posterior of {owner_of(model)} isn't to be trusted: k-hat is about {k_hat:.1f}, and should be below "
            "0.7; print(model.diagnose(data)) says more, fit(check=False) says nothing.",
            FitWarning,
        )


def check_draws(model, logs: dict) -> None:
    """Warns where a sampler's draws shouldn't be trusted.

    Args:
        model: The model.
        logs: What the last block of the fit logged.
    """
    draws = model.draws
    if draws is None or draws.num_draws < LEAST_DRAWS or not logs:
        return
    total = draws.num_chains * draws.num_draws
    found = []
    wanted = min(ESS_PER_CHAIN * draws.num_chains, ESS_SHARE * total)
    limit = MAX_RHAT + RHAT_NOISE * draws.num_chains / max(logs["min_ess"], wanted)
    if logs["max_rhat"] > limit and np.isfinite(logs["max_rhat"]):
        found.append(f"the largest R-hat is {logs['max_rhat']:.3g} (good below {MAX_RHAT})")
    if logs["min_ess"] < wanted:
        found.append(f"the smallest effective sample size is {logs['min_ess']:.0f} (good above {wanted:.0f})")
    if logs["divergences"] > DIVERGENT_SHARE * total:
        found.append(f"{logs['divergences']:.0f} of {total} transitions diverged")
    if found:
        owner = owner_of(model)
        warn(
            f"The draws of {owner} aren't to be trusted yet: {', '.join(found)}; print(model.diagnose()) says "
            "more, fit(check=False) says nothing.",
            FitWarning,
        )


def _rises_steeply(found: Trend, number: int) -> bool:
    sure = found.rise > SURE * found.error  # False where the error is NaN
    return bool(sure and found.rise * number > NATS and found.rise > SHARE * found.whole_rise)
