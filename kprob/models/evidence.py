"""The evidence, and the density of data that wasn't fitted, by importance sampling.

p(x) = E_q[p(x, z)/q(z)]:  the mean of the weights, whose logarithm is estimated, with a standard error (delta method).
"""

import keras
import numpy as np

from kprob.backend import random
from kprob.checks import check_count
from kprob.diagnostics.smoothing import pareto_smooth
from kprob.models import weighing
from kprob.models.programs import compiled, map_all
from kprob.numerics import log_mean_exp

MAX_NUMBERS = 10_000_000


class Estimate(float):
    """A number that was estimated by Monte Carlo: a float that knows its standard error.

    Attributes:
        standard_error: Monte Carlo standard error.
        per_datum: The number's share of each row, or None where rows aren't independent.
        k_hat: Shape of the weights' tail, of each row or of all: above 0.7, neither number is to be trusted.
    """

    standard_error: float
    per_datum: np.ndarray | None
    k_hat: np.ndarray

    def __new__(cls, value: float, standard_error: float, per_datum=None, k_hat=None):
        """Makes the estimate."""
        estimate = super().__new__(cls, value)
        estimate.standard_error, estimate.per_datum, estimate.k_hat = float(standard_error), per_datum, k_hat
        return estimate

    def __repr__(self) -> str:
        return f"{float(self):.6g} ± {self.standard_error:.2g}"

    __str__ = __repr__


def log_marginal_likelihood(model, x, num_samples: int, seed) -> Estimate:
    """Estimates the log-evidence (see `ProbabilisticModel.log_marginal_likelihood`)."""
    check_count("num_samples", num_samples, 2)
    data = weighing.prepare(model, "log_marginal_likelihood", x)
    weights = weighing.weigh(model, data, num_samples, weighing.seed_of(model, seed)).log_weights.astype("float64")
    k_hat = pareto_smooth(weights).k_hat
    found, errors = log_mean_exp(weights), _errors(weights)
    if weights.ndim == 1:
        return Estimate(found, errors, None, k_hat)
    return Estimate(np.sum(found), np.sqrt(np.sum(errors**2)), found, k_hat)


def log_predictive_density(model, x, num_samples: int, seed) -> Estimate:
    """Estimates the log-density of data that wasn't fitted (see `ProbabilisticModel.log_predictive_density`)."""
    check_count("num_samples", num_samples, 2)
    data = weighing.prepare(model, "log_predictive_density", x)
    key = weighing.seed_of(model, seed)
    if weighing.has_rows(model):
        weights = weighing.weigh(model, data, num_samples, key).log_weights
        return _pointwise([weights])
    size = max(1, MAX_NUMBERS // max(num_samples, 100 * weighing.runs_of(model)))
    key_of = ("density", num_samples)
    program = compiled(model, key_of, _densities(model, num_samples))
    parts = [program(batch, key) for _, batch in weighing.parts_of(data, size)]
    return _pointwise([np.array(keras.ops.convert_to_numpy(part)) for part in parts])


def _densities(model, number: int):
    # Per draw of what is outside the data plate, the density of each row; latents of the rows are weighed.
    def program(batch, seed):
        def once(seed):
            p, q = model.networks.pair(batch, seed)
            weighing.require_observed(p, q, model.networks.owner)
            local = [site for site in p.weighed_sites() if site.in_data_plate]
            if not local:  # no data plate: what is observed, one number for each place of the plates
                return sum(site.log_prob() for site in p.weighed_sites() if site.name not in q)
            rows = p.log_prob_rows([site.name for site in local])
            return rows - q.log_prob_rows([site.name for site in q.weighed_sites() if site.in_data_plate])

        return map_all(model, once, random.split(seed, number))

    return program


def _pointwise(parts: list[np.ndarray]) -> Estimate:
    found, relative = [], 0.0
    for log_densities in parts:
        log_densities = log_densities.astype("float64")
        each = log_mean_exp(log_densities)
        # The draws are shared by all rows, whose errors therefore add up draw by draw.
        relative = relative + np.sum(np.exp(log_densities - each).reshape(len(log_densities), -1), axis=1)
        found.append(each)
    total = np.concatenate(found) if found[0].ndim else found[0]
    error = np.std(relative, ddof=1) / np.sqrt(len(relative))
    k_hat = pareto_smooth(np.concatenate(parts, axis=1) if parts[0].ndim > 1 else parts[0]).k_hat
    return Estimate(np.sum(total), error, total, k_hat)


def _errors(log_weights: np.ndarray) -> np.ndarray:
    weights = np.exp(log_weights - np.max(log_weights, axis=0))
    return np.std(weights, axis=0, ddof=1) / np.mean(weights, axis=0) / np.sqrt(len(weights))
