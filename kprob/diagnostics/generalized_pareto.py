"""The generalised Pareto distribution, which approximates the far tail of nearly every distribution.

p(x) = (1/σ) (1 + k x/σ)^(−1/k − 1),   x > 0.   Moments of order 1/k and above don't exist.
"""

import numpy as np

# Weight of the prior guess k = 1/2, in observations: it steadies the estimate where the tail has few of them.
PRIOR_SIZE = 10
PRIOR_K = 0.5


def fit_generalized_pareto(exceedances: np.ndarray) -> tuple[float, float]:
    """Fits a generalised Pareto distribution to the amounts by which values exceed a threshold.

    The estimate is the mean of an approximate posterior on a grid, with a weak prior that draws k towards 1/2.

    Args:
        exceedances: Positive numbers, shape (n,).

    Returns:
        Shape k and scale σ.

    Example:
        ```python
        import numpy as np
        from kprob.diagnostics import fit_generalized_pareto

        uniform = np.random.default_rng(0).uniform(size=20_000)
        k, scale = fit_generalized_pareto(((1 - uniform) ** -0.3 - 1) / 0.3)
        assert abs(k - 0.3) < 0.03 and abs(scale - 1) < 0.05
        ```

    Reference:
        Zhang and Stephens (2009), "A new and efficient estimation method for the generalized Pareto distribution".
    """
    x = np.sort(np.asarray(exceedances, "float64"))
    number = len(x)
    grid_size = 30 + int(np.sqrt(number))
    grid = 1 - np.sqrt(grid_size / (np.arange(1, grid_size + 1) - 0.5))
    grid = grid / (3 * x[int(number / 4 + 0.5) - 1]) + 1 / x[-1]  # b = -k/σ
    k = np.mean(np.log1p(-grid[:, None] * x), axis=1)
    profile = number * (np.log(-grid / k) - k - 1)
    weights = np.exp(profile - np.max(profile))
    b = np.sum(grid * weights) / np.sum(weights)
    shape = float(np.mean(np.log1p(-b * x)))
    scale = -shape / b
    return (number * shape + PRIOR_SIZE * PRIOR_K) / (number + PRIOR_SIZE), float(scale)


def generalized_pareto_quantile(probability: np.ndarray, k: float, scale: float) -> np.ndarray:
    """Returns quantiles of the generalised Pareto distribution."""
    if abs(k) < 1e-12:
        return -scale * np.log1p(-probability)
    return scale * np.expm1(-k * np.log1p(-probability)) / k
