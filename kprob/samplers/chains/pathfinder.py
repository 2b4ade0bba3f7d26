"""Pathfinder: starting points from the normal approximation that is best along an optimiser's path.

L-BFGS climbs the log-density; at each of its points x with gradient g, its approximate inverse Hessian H gives a normal
N(x + H g, H). Starting points are drawn from the one with the largest ELBO.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

_HISTORY = 6
_ITERATIONS = 100
_DRAWS = 10
_DENSE = 1000  # up to so many latents the inverse Hessian is a full matrix
_TOLERANCE = 1e-6


class NormalApproximation(NamedTuple):
    """A normal approximation.

    Attributes:
        mean: (d,).
        factor: Cholesky factor (d, d) of the covariance, or standard deviations (d,).
        elbo: Estimate of the evidence's lower bound.
    """

    mean: np.ndarray
    factor: np.ndarray
    elbo: float

    def draw(self, generator: np.random.Generator) -> np.ndarray:
        """Returns a draw."""
        return self.at(generator.normal(size=self.mean.shape))

    def at(self, noise: np.ndarray) -> np.ndarray:
        """Returns the draw that standard normal noise gives."""
        return self.mean + (self.factor * noise if self.factor.ndim == 1 else self.factor @ noise)


def pathfinder(evaluate: Callable, start: np.ndarray, generator: np.random.Generator) -> NormalApproximation | None:
    """Returns the best normal approximation along the path of L-BFGS, or None where there is none.

    Args:
        evaluate: From a vector to its log-density and gradient.
        start: Where the path starts.
        generator: Random numbers, for the draws by which approximations are compared.

    Reference:
        Zhang, Carpenter, Gelman and Vehtari (2022), "Pathfinder: parallel quasi-Newton variational inference".
    """
    position = np.asarray(start, "float64")
    value, gradient = evaluate(position)
    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    best: NormalApproximation | None = None
    for _ in range(_ITERATIONS):
        moved = _climb(evaluate, position, value, gradient, pairs)
        if moved is None:
            break
        step, slope_change, gain = moved[0] - position, gradient - moved[2], moved[1] - value
        # Only steps along which the density is concave show its curvature.
        if step @ slope_change > 1e-10 * (slope_change @ slope_change):
            pairs = [*pairs, (step, slope_change)][-_HISTORY:]
        position, value, gradient = moved
        approximation = _approximate(evaluate, position, gradient, pairs, generator) if pairs else None
        if approximation is not None and (best is None or approximation.elbo > best.elbo):
            best = approximation
        if gain < _TOLERANCE * max(1.0, abs(value)):
            break
    return best


def _climb(evaluate: Callable, position: np.ndarray, value: float, gradient: np.ndarray, pairs: list) -> tuple | None:
    # A step along the quasi-Newton direction, halved until it rises enough (Armijo's rule).
    direction = _times_inverse_hessian(gradient, pairs)
    if not pairs:
        direction = direction / max(1.0, float(np.linalg.norm(gradient)))
    rise = float(direction @ gradient)
    length = 1.0
    for _ in range(30):
        proposal = position + length * direction
        after, slope = evaluate(proposal)
        if np.isfinite(after) and np.isfinite(slope).all() and after > value + 1e-4 * length * rise:
            return proposal, after, slope
        length *= 0.5
    return None


def _times_inverse_hessian(vector: np.ndarray, pairs: list) -> np.ndarray:
    # The two loops of Nocedal (1980).
    result, shares = vector.copy(), []
    for step, change in reversed(pairs):
        share = (step @ result) / (step @ change)
        result = result - share * change
        shares.append(share)
    if pairs:
        step, change = pairs[-1]
        result = result * (step @ change) / (change @ change)
    for (step, change), share in zip(pairs, reversed(shares), strict=True):
        result = result + (share - (change @ result) / (step @ change)) * step
    return result


def _approximate(
    evaluate: Callable, position: np.ndarray, gradient: np.ndarray, pairs: list, generator: np.random.Generator
) -> NormalApproximation | None:
    size = position.size
    if size <= _DENSE:
        covariance = np.stack([_times_inverse_hessian(row, pairs) for row in np.eye(size)])
        try:
            factor = np.linalg.cholesky(0.5 * (covariance + covariance.T))
        except np.linalg.LinAlgError:
            return None
        log_det = float(np.log(np.diag(factor)).sum())
    else:
        step, change = pairs[-1]
        factor = np.full(size, np.sqrt((step @ change) / (change @ change)))
        log_det = float(np.log(factor).sum())
    mean = position + _times_inverse_hessian(gradient, pairs)
    noise = generator.normal(size=(_DRAWS, size))
    approximation = NormalApproximation(mean, factor, 0.0)
    log_densities = np.array([evaluate(approximation.at(row))[0] for row in noise])
    log_q = -0.5 * np.sum(noise**2, axis=1) - log_det - 0.5 * size * np.log(2.0 * np.pi)
    elbo = float(np.mean(log_densities - log_q))
    return approximation._replace(elbo=elbo) if np.isfinite(elbo) else None
