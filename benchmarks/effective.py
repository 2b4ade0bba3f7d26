"""How many independent draws a sampler's draws are worth: the smallest bulk effective sample size of all numbers."""

from collections.abc import Mapping

import arviz
import numpy as np


def effective_draws(values: Mapping[str, np.ndarray]) -> float:
    """Returns the smallest bulk effective sample size of draws by site, (chains, draws, ...), as ArviZ computes it."""
    found = arviz.ess(arviz.convert_to_dataset({name: np.asarray(value) for name, value in values.items()}))
    return min(float(found[name].min()) for name in values)
