"""What a particle filter found."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kprob.filtering.particle_filter import FilterStep


@dataclass(frozen=True)
class Filtered:
    """Particles of the states at each time given the data up to then, and the estimate of the likelihood.

    Where the scan is in plates, each of their elements has a filter of its own, and all arrays have the plates' axes.

    Attributes:
        log_likelihood: Logarithm of an unbiased estimate of the data's density, (*plates,): a number without plates.
        log_increments: Its parts, log p(y_t | y_1, ..., y_{t-1}), (*plates, T); the first also has what is observed before.
        ess: Effective sample size of the weights at each step, (*plates, T).
        resampled: Whether particles were drawn anew before a step, (*plates, T).
        particles: States by site, (N, *plates, T, *event), and what follows from them.
        weights: Of the particles at each step, which sum to 1 along the first axis, (N, *plates, T).

    Example:
        ```python
        import kprob
        from kprob import tfd

        def day(level, t):
            level = kprob.sample("level", tfd.Normal(level, 1.0))
            kprob.sample("y", tfd.Normal(level, 0.5))
            return level

        model = kprob.ProbabilisticModel(lambda: kprob.scan(day, 0.0, 4))
        found = model.particle_filter({"y": [0.3, 1.1, 0.8, 2.0]}, num_particles=500, seed=1)
        assert found.mean("level").shape == (4,) and found.ess.min() > 50
        ```
    """

    log_likelihood: float | np.ndarray
    log_increments: np.ndarray
    ess: np.ndarray
    resampled: np.ndarray
    particles: dict[str, np.ndarray]
    weights: np.ndarray

    @property
    def num_particles(self) -> int:
        """Particles at each step."""
        return len(self.weights)

    def mean(self, name: str) -> np.ndarray:
        """Returns the filtering mean of a site, E[z_t | y_1, ..., y_t], (*plates, T, *event).

        Args:
            name: The site.
        """
        return self.expectation(lambda values: values[name])

    def stddev(self, name: str) -> np.ndarray:
        """Returns the filtering standard deviation of a site, (*plates, T, *event).

        Args:
            name: The site.
        """
        mean = self.mean(name)
        return np.sqrt(self.expectation(lambda values: np.square(values[name] - mean)))

    def expectation(self, function: Callable) -> np.ndarray:
        """Returns the mean of any function of the particles.

        Args:
            function: From particles by site to an array of shape (N, *plates, T, ...), such as
                `lambda values: values["state"] == 1` for a state's probability.
        """
        values = np.asarray(function(self.particles), "float64")
        weights = self.weights.reshape(*self.weights.shape, *[1] * (values.ndim - self.weights.ndim))
        return np.sum(weights * values, axis=0)

    def __str__(self) -> str:
        total = np.array2string(np.asarray(self.log_likelihood), precision=6, threshold=6)
        return (
            f"Particle filter: {self.num_particles} particles, {self.ess.shape[-1]} steps; log-likelihood {total}; "
            f"effective sample size {self.ess.mean():.0f} on average, {self.ess.min():.0f} at least; "
            f"drawn anew before {int(self.resampled.sum())} of {self.resampled.size} steps."
        )


def make_filtered(told: FilterStep, before: np.ndarray) -> Filtered:
    """Returns what a filter found.

    Args:
        told: What each step told, steps leading.
        before: Log-density of what is observed before the steps, of the plates' shape.
    """
    axis = before.ndim
    increments = np.moveaxis(np.array(told.log_likelihood, "float64"), 0, -1)
    increments[..., 0] += before
    total = np.sum(increments, axis=-1)

    def in_order(value: np.ndarray) -> np.ndarray:  # (T, *plates, N, ...) to (N, *plates, T, ...)
        return np.swapaxes(np.array(value), 0, axis + 1)

    return Filtered(
        log_likelihood=total if axis else float(total),
        log_increments=increments,
        ess=np.moveaxis(np.array(told.ess), 0, -1),
        resampled=np.moveaxis(np.array(told.resampled), 0, -1) > 0.5,
        particles={name: in_order(value) for name, value in told.values.items()},
        weights=in_order(np.exp(np.asarray(told.log_weights, "float64"))),
    )
