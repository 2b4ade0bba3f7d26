"""Effective sample sizes: the number of independent draws that would tell as much as these dependent ones.

ESS = N / τ,   τ = −1 + 2 Σ_t P_t,   P_t = ρ_2t + ρ_2t+1 the autocorrelations over all chains, as long as P_t > 0 falls.
"""

import numpy as np

from kprob.diagnostics.ranking import normal_scores, split_chains
from kprob.options import check_number

ESS_PER_CHAIN = 100  # below it, R-hat and the effective sample size themselves are noise


def ess_bulk(draws: np.ndarray) -> np.ndarray:
    """Returns the effective sample size for the bulk of a distribution: of the normal scores of the draws' ranks.

    Args:
        draws: Shape (chains, draws, ...).

    Returns:
        An array of the trailing shape.

    Example:
        ```python
        import numpy as np
        from kprob.diagnostics import ess_bulk

        draws = np.random.default_rng(0).normal(size=(4, 1000))
        assert 3200 < ess_bulk(draws) < 4800
        ```

    Reference:
        Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), "Rank-normalization, folding, and localization".
    """
    return ess_of_halves(normal_scores(split_chains(draws)))


def ess_tail(draws: np.ndarray) -> np.ndarray:
    """Returns the effective sample size for the tails: the smaller of those for the 5 % and the 95 % quantile.

    Args:
        draws: Shape (chains, draws, ...).

    Example:
        ```python
        import numpy as np
        from kprob.diagnostics import ess_tail

        assert ess_tail(np.random.default_rng(0).normal(size=(4, 1000, 3))).shape == (3,)
        ```
    """
    return np.minimum(ess_quantile(draws, 0.05), ess_quantile(draws, 0.95))


def ess_mean(draws: np.ndarray) -> np.ndarray:
    """Returns the effective sample size for the mean: of the draws as they are.

    Args:
        draws: Shape (chains, draws, ...).

    Example:
        ```python
        import numpy as np
        from kprob.diagnostics import ess_mean

        assert ess_mean(np.random.default_rng(0).normal(size=(4, 1000))) > 3000
        ```
    """
    return ess_of_halves(split_chains(draws))


def ess_quantile(draws: np.ndarray, probability: float) -> np.ndarray:
    """Returns the effective sample size for a quantile: of the indicator that a draw lies below it.

    Args:
        draws: Shape (chains, draws, ...).
        probability: Which quantile.

    Example:
        ```python
        import numpy as np
        from kprob.diagnostics import ess_quantile

        assert ess_quantile(np.random.default_rng(0).normal(size=(4, 1000)), 0.5) > 3000
        ```
    """
    check_number("probability", probability, 0.0, 1.0, ends="[]", example=0.5)
    draws = np.asarray(draws, "float64")
    below = draws <= np.quantile(draws, probability, axis=(0, 1))
    return ess_of_halves(split_chains(below))


def ess_of_halves(draws: np.ndarray) -> np.ndarray:
    """Returns the effective sample size for the mean of numbers, of chains that are cut in halves already.

    Args:
        draws: Shape (halves of chains, draws, ...).
    """
    chains, number = draws.shape[:2]
    size = chains * number
    covariance = np.mean(_autocovariance(draws), axis=0)  # [lags, ...]
    within = covariance[0] * number / (number - 1)
    variance = within * (number - 1) / number
    if chains > 1:
        variance = variance + np.var(np.mean(draws, axis=1), axis=0, ddof=1)
    constant = np.ptp(draws, axis=(0, 1)) < np.finfo("float64").resolution
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = 1 - (within - covariance) / variance
    rho[0] = 1.0
    last = max(0, (number - 3) // 2)  # Stan's: the pair at which the sum ends however long the chains remember
    pairs = rho[0 : 2 * last + 1 : 2] + rho[1 : 2 * last + 2 : 2]
    ends = pairs <= 0
    end = np.where(ends.any(axis=0), ends.argmax(axis=0), last)
    counted = np.arange(last + 1).reshape(-1, *[1] * end.ndim) < end
    falling = np.minimum.accumulate(pairs, axis=0)
    # Half of the pair at the end may still be positive: it lowers the bias of chains that jump to and fro.
    even = np.take_along_axis(rho[0 : 2 * last + 1 : 2], end[None], axis=0)[0]
    even = np.where(ends.any(axis=0), np.maximum(even, 0), even)
    tau = -1 + 2 * np.sum(np.where(counted, falling, 0.0), axis=0) + even
    ess = size / np.maximum(tau, 1 / np.log10(size))
    return np.where(constant, size, np.where(np.isfinite(draws).all(axis=(0, 1)), ess, np.nan))


def _autocovariance(draws: np.ndarray) -> np.ndarray:
    number = draws.shape[1]
    centred = draws - np.mean(draws, axis=1, keepdims=True)
    length = 1 << (2 * number - 1).bit_length()
    spectrum = np.fft.rfft(centred, length, axis=1)
    return np.fft.irfft(spectrum * np.conj(spectrum), length, axis=1)[:, :number] / number
