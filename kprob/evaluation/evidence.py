"""The evidence, and the density of data that wasn't fitted, by importance sampling.

p(x) = E_q[p(x, z)/q(z)]:  the mean of the weights, whose logarithm is estimated, with a standard error (delta method).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from kprob.backend import random
from kprob.backend.seeds import seed_of
from kprob.checks import check_count
from kprob.data import batches_of
from kprob.diagnostics.pareto_smoothing import pareto_smooth
from kprob.engine import Networks
from kprob.engine.checking.agreement import rows_at_a_time
from kprob.errors import KprobError, explain
from kprob.numerics import log_mean_exp, to_numpy
from kprob.queries import importance_weights
from kprob.samplers.chains.draws import Draws
from kprob.types import Seed, Tensor

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
    k_hat: Any

    def __new__(
        cls, value: Any, standard_error: Any, per_datum: np.ndarray | None = None, k_hat: Any = None
    ) -> "Estimate":
        """Makes the estimate."""
        estimate = super().__new__(cls, value)
        estimate.standard_error, estimate.per_datum, estimate.k_hat = float(standard_error), per_datum, k_hat
        return estimate

    def __repr__(self) -> str:
        return f"{float(self):.6g} ± {self.standard_error:.2g}"

    __str__ = __repr__


def log_marginal_likelihood(networks: Networks, data: Any, num_samples: int, seed: int | None) -> Estimate:
    """Returns the log-evidence log p(data), estimated by importance sampling with q as the proposal.

    Args:
        networks: The networks of a fitted model.
        data: What is observed, and covariates.
        num_samples: Draws of q.
        seed: Makes the result repeatable.

    Returns:
        A float with `standard_error`, `k_hat`, and `per_datum` where all latents are inside the data plate.
    """
    check_count("num_samples", num_samples, 2)
    prepared = importance_weights.weighable_data(networks, "log_marginal_likelihood", data)
    weights = importance_weights.weigh(
        networks, prepared, num_samples, seed_of(seed, networks.host.seed_generator)
    ).log_weights.astype("float64")
    k_hat = pareto_smooth(weights).k_hat
    found, errors = log_mean_exp(weights), _errors(weights)
    if weights.ndim == 1:
        return Estimate(found, errors, None, k_hat)
    return Estimate(np.sum(found), np.sqrt(np.sum(errors**2)), found, k_hat)


def log_predictive_density(networks: Networks, data: Any, num_samples: int, seed: int | None) -> Estimate:
    """Returns the log-density that the fitted model gives to new data, row by row: Σ_i log E[p(x_i | latents)].

    Latents outside the data plate are drawn from q; a row's own latents are integrated out by importance sampling.

    Args:
        networks: The networks of a fitted model.
        data: Data that wasn't fitted: what is observed, and covariates.
        num_samples: Draws of q.
        seed: Makes the result repeatable.

    Returns:
        A float, the sum over rows, with `per_datum`, `standard_error` and `k_hat`.
    """
    check_count("num_samples", num_samples, 2)
    prepared = importance_weights.weighable_data(networks, "log_predictive_density", data)
    key = seed_of(seed, networks.host.seed_generator)
    if importance_weights.has_row_weights(networks):
        weights = importance_weights.weigh(networks, prepared, num_samples, key).log_weights
        return _pointwise([weights])
    size = max(1, MAX_NUMBERS // max(num_samples, 100 * importance_weights.runs_of(networks)))
    size = rows_at_a_time(networks, prepared.num_rows, size)
    key_of = ("density", num_samples)
    program = networks.programs.compiled(key_of, _densities(networks, num_samples))
    parts = [program(batch, key) for batch in batches_of(prepared, size, prepared.num_rows)]
    return _pointwise(to_numpy(parts))


def evidence_of_draws(model_name: str, draws: Draws | None) -> Estimate:
    """Returns the log-evidence that sequential Monte Carlo found: the mean of the populations' evidence.

    Args:
        model_name: Name of the model, for messages.
        draws: The draws.

    Raises:
        KprobError: They aren't of sequential Monte Carlo.
    """
    estimates = None if draws is None else draws.log_evidence
    if estimates is None:
        raise KprobError(
            explain(
                f"{model_name} has no evidence by sequential Monte Carlo.",
                received="a model that wasn't fitted by kprob.samplers.SMC, or whose fit ended before the posterior",
                expected="model.compile(kprob.samplers.SMC(...)).fit(data) before",
                fix="fit with kprob.samplers.SMC, or use model.log_marginal_likelihood(data) where there is an inference network",
            )
        )
    largest = estimates.max()
    each = np.exp(estimates - largest)
    error = each.std(ddof=1) / each.mean() / np.sqrt(each.size) if each.size > 1 else float("nan")
    return Estimate(largest + np.log(each.mean()), error)


def _densities(networks: Networks, number: int) -> Callable:
    # Per draw of what is outside the data plate, the density of each row; latents of the rows are weighed.
    def program(batch: dict, seed: Seed) -> Tensor:
        def once(seed: Seed) -> Tensor:
            p, q = networks.pair(batch, seed)
            importance_weights.require_observed(p, q, networks.model_name)
            local = [site for site in p.weighed_sites() if site.in_data_plate]
            if not local:  # no data plate: what is observed, one number for each place of the plates
                return sum(site.log_prob() for site in p.weighed_sites() if site.name not in q)
            rows = p.log_prob_rows([site.name for site in local])
            return rows - q.log_prob_rows([site.name for site in q.weighed_sites() if site.in_data_plate])

        return networks.map_draws(once, random.split(seed, number))

    return program


def _pointwise(parts: list[np.ndarray]) -> Estimate:
    log_means, relative = [], np.zeros(len(parts[0]))
    for log_densities in parts:
        log_densities = log_densities.astype("float64")
        log_mean = log_mean_exp(log_densities)
        # The draws are shared by all rows, whose errors therefore add up draw by draw.
        relative = relative + np.sum(np.exp(log_densities - log_mean).reshape(len(log_densities), -1), axis=1)
        log_means.append(log_mean)
    per_datum = np.concatenate(log_means) if log_means[0].ndim else log_means[0]
    error = np.std(relative, ddof=1) / np.sqrt(len(relative))
    k_hat = pareto_smooth(np.concatenate(parts, axis=1) if parts[0].ndim > 1 else parts[0]).k_hat
    return Estimate(np.sum(per_datum), error, per_datum, k_hat)


def _errors(log_weights: np.ndarray) -> np.ndarray:
    weights = np.exp(log_weights - np.max(log_weights, axis=0))
    return np.std(weights, axis=0, ddof=1) / np.mean(weights, axis=0) / np.sqrt(len(weights))
