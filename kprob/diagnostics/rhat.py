"""R̂: whether Markov chains have forgotten where they began.

R̂² = ((n − 1)/n W + B/n) / W,   B between, W within chains of n draws, each split in halves and replaced by normal scores.
"""

import numpy as np

from kprob.diagnostics.ranking import folded_scores, split_chains

MAX_RHAT = 1.01  # of chains that agree


def rhat(draws: np.ndarray) -> np.ndarray:
    """Returns the rank-normalised split R̂ of Markov chains: close to 1 where they agree, at most 1.01 to be trusted.

    It is the larger of two: of the draws, for their location, and of their distances from the median, for their spread.

    Args:
        draws: Shape (chains, draws, ...).

    Returns:
        An array of the trailing shape; NaN where all draws are the same.

    Example:
        ```python
        import numpy as np
        from kprob.diagnostics import rhat

        draws = np.random.default_rng(0).normal(size=(4, 1000, 2)) + np.array([[[0, 0]], [[0, 0]], [[0, 0]], [[0, 1]]])
        assert rhat(draws)[0] < 1.01 < rhat(draws)[1]
        ```

    Reference:
        Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), "Rank-normalization, folding, and localization: an
        improved R̂ for assessing convergence of MCMC". arXiv:1903.08008.
    """
    return rhat_of_scores(*folded_scores(split_chains(draws)))


def rhat_of_scores(scores: np.ndarray, folded: np.ndarray) -> np.ndarray:
    """Returns the larger R̂ of two: of draws' normal scores, and of those of their distances from the median.

    Args:
        scores: Of the halves of chains, (chains, draws, ...).
        folded: Of the distances, of the same shape.
    """
    return np.maximum(_rhat(scores), _rhat(folded))


def _rhat(draws: np.ndarray) -> np.ndarray:
    number = draws.shape[1]
    between = number * np.var(np.mean(draws, axis=1), axis=0, ddof=1)
    within = np.mean(np.var(draws, axis=1, ddof=1), axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt((between / within + number - 1) / number)
