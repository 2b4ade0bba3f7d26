"""R̂ and bulk effective sample size together: both are of the same ranks, and ranking is what takes the time."""

from typing import NamedTuple

import numpy as np

from kprob.diagnostics.effective_sample_size import ess_of_halves
from kprob.diagnostics.ranking import folded_scores, split_chains
from kprob.diagnostics.rhat import rhat_of_scores


class Mixing(NamedTuple):
    """How well Markov chains mix.

    Attributes:
        rhat: R̂ (see `rhat`).
        ess_bulk: Effective sample size of the bulk (see `ess_bulk`).
    """

    rhat: np.ndarray
    ess_bulk: np.ndarray


def mixing(draws: np.ndarray) -> Mixing:
    """Returns what `rhat` and `ess_bulk` return, from one ranking of the draws.

    Args:
        draws: Shape (chains, draws, ...).

    Returns:
        Two arrays of the trailing shape.

    Example:
        ```python
        import numpy as np
        from kprob.diagnostics import ess_bulk, mixing, rhat

        draws = np.random.default_rng(0).normal(size=(4, 1000))
        assert mixing(draws) == (rhat(draws), ess_bulk(draws))
        ```
    """
    scores, folded = folded_scores(split_chains(draws))
    return Mixing(rhat_of_scores(scores, folded), ess_of_halves(scores))
