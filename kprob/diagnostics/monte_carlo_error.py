"""Monte Carlo standard errors: how far an answer may be off because there are only so many draws."""

from statistics import NormalDist

import numpy as np

from kprob.diagnostics.effective_sample_size import ess_mean, ess_quantile
from kprob.diagnostics.special import beta_quantile


def mcse_mean(draws: np.ndarray) -> np.ndarray:
    """Returns the standard error of the mean of Markov chains.

    Args:
        draws: Shape (chains, draws, ...).

    Example:
        ```python
        import numpy as np
        from kprob.diagnostics import mcse_mean

        assert abs(mcse_mean(np.random.default_rng(0).normal(size=(4, 2500))) - 0.01) < 0.002
        ```
    """
    draws = np.asarray(draws, "float64")
    return np.std(draws, axis=(0, 1), ddof=1) / np.sqrt(ess_mean(draws))


def mcse_sd(draws: np.ndarray) -> np.ndarray:
    """Returns the standard error of the standard deviation of Markov chains, by the delta method.

    Args:
        draws: Shape (chains, draws, ...).

    Example:
        ```python
        import numpy as np
        from kprob.diagnostics import mcse_sd

        assert abs(mcse_sd(np.random.default_rng(0).normal(size=(4, 2500))) - 0.0071) < 0.002
        ```
    """
    draws = np.asarray(draws, "float64")
    squares = (draws - np.mean(draws, axis=(0, 1))) ** 2
    variance = np.mean(squares, axis=(0, 1))
    of_variance = (np.mean(squares**2, axis=(0, 1)) - variance**2) / ess_mean(squares)
    return np.sqrt(of_variance / variance / 4)


def mcse_quantile(draws: np.ndarray, probability: float) -> np.ndarray:
    """Returns the standard error of a quantile of Markov chains: half the distance of two of their order statistics.

    Args:
        draws: Shape (chains, draws, ...).
        probability: Which quantile.

    Example:
        ```python
        import numpy as np
        from kprob.diagnostics import mcse_quantile

        assert 0.009 < mcse_quantile(np.random.default_rng(0).normal(size=(4, 2500)), 0.5) < 0.017
        ```
    """
    draws = np.asarray(draws, "float64")
    ess = np.asarray(ess_quantile(draws, probability))
    flat = np.sort(draws.reshape(draws.shape[0] * draws.shape[1], -1), axis=0)
    size = len(flat)
    errors = []
    for column, effective in zip(flat.T, ess.ravel(), strict=True):
        low, high = (
            beta_quantile(NormalDist().cdf(side), effective * probability + 1, effective * (1 - probability) + 1)
            for side in (-1.0, 1.0)
        )
        below = column[int(max(np.floor(low * size) - 1, 0))]
        above = column[int(min(np.ceil(high * size) - 1, size - 1))]
        errors.append((above - below) / 2)
    return np.array(errors).reshape(ess.shape)
