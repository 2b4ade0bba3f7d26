"""Exact values for the temperature model with a normal q, by quadrature in float64."""

import numpy as np
from scipy import stats

NODES = np.linspace(-9.0, 9.0, 1201)
WEIGHTS = stats.norm.pdf(NODES) / stats.norm.pdf(NODES).sum()


def log_weights(loc, scale):
    """log p(18, z) - log q(z) at the nodes."""
    z = loc + scale * NODES
    return stats.norm.logpdf(z, 15, 2) + stats.norm.logpdf(18.0, z, 1) - stats.norm.logpdf(z, loc, scale)


def elbo(loc, scale):
    return float(np.sum(WEIGHTS * log_weights(loc, scale)))


def bound(loc, scale, draws, alpha=0.0):
    """E[1/(1 - α) log mean_k w_k^(1 - α)].

    For independent positive v_k with Laplace transform M, E log Σ v_k = ∫ (e^-t - M(t)^K) / t dt.
    """
    powers = (1.0 - alpha) * log_weights(loc, scale)
    shift = powers.max()
    values = np.exp(powers - shift)
    u = np.linspace(-40.0, 60.0, 4_001)  # t = e^u
    transform = np.exp(-np.exp(u)[:, None] * values[None, :]) @ WEIGHTS
    integrand = np.exp(-np.exp(np.minimum(u, 700.0))) - transform**draws
    total = np.trapezoid(integrand, u)
    return float((total + shift - np.log(draws)) / (1.0 - alpha))


def gradient(function, loc, scale, step=1e-3):
    """Derivatives with respect to q's location and log-scale."""
    by_loc = (function(loc + step, scale) - function(loc - step, scale)) / (2 * step)
    up, down = scale * np.exp(step), scale * np.exp(-step)
    return np.array([by_loc, (function(loc, up) - function(loc, down)) / (2 * step)])
