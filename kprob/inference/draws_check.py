"""One line of warning at the end of a sampler's fit that went badly, from what its last block has logged."""

import numpy as np

from kprob.diagnostics.effective_sample_size import ESS_PER_CHAIN
from kprob.diagnostics.rhat import MAX_RHAT
from kprob.errors import FitWarning, warn
from kprob.samplers.chains.draws import Draws

# Where `diagnose` begins to doubt, and what noise there is in a shorter run.
RHAT_NOISE = 2.0  # over the effective draws of a chain: what R-hat is above 1 where chains agree
ESS_SHARE = 0.1
DIVERGENT_SHARE = 0.002
LEAST_CHECKED_DRAWS = 100


def check_draws(model_name: str, draws: Draws | None, logs: dict[str, float]) -> None:
    """Warns where a sampler's draws shouldn't be trusted.

    Args:
        model_name: Name of the model, for the message.
        draws: The draws.
        logs: What the last block of the fit logged.
    """
    if draws is None or draws.num_draws < LEAST_CHECKED_DRAWS or not logs:
        return
    total = draws.num_chains * draws.num_draws
    complaints = []
    wanted = min(ESS_PER_CHAIN * draws.num_chains, ESS_SHARE * total)
    limit = MAX_RHAT + RHAT_NOISE * draws.num_chains / max(logs["min_ess"], wanted)
    if logs["max_rhat"] > limit and np.isfinite(logs["max_rhat"]):
        complaints.append(f"the largest R-hat is {logs['max_rhat']:.3g} (good below {MAX_RHAT})")
    if logs["min_ess"] < wanted:
        complaints.append(f"the smallest effective sample size is {logs['min_ess']:.0f} (good above {wanted:.0f})")
    if logs["divergences"] > DIVERGENT_SHARE * total:
        complaints.append(f"{logs['divergences']:.0f} of {total} transitions diverged")
    if complaints:
        warn(
            f"The draws of {model_name} aren't to be trusted yet: {', '.join(complaints)}; print(model.diagnose()) says "
            "more, fit(check=False) says nothing.",
            FitWarning,
        )
