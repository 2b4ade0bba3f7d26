"""Whether a noisy, autocorrelated record still rises at its end."""

from dataclasses import dataclass

import numpy as np

from kprob.diagnostics.monte_carlo_error import mcse_mean

LEAST_ENTRIES = 16
CERTAIN = 3.0


@dataclass(frozen=True)
class Trend:
    """How the end of a record compares with what came before it.

    Attributes:
        rise: Mean of the last quarter less that of the quarter before.
        error: Standard error of `rise`, autocorrelation counted in; NaN where there are too few entries.
        whole_rise: Mean of the last quarter less that of the first entries.
    """

    rise: float
    error: float
    whole_rise: float

    @property
    def certain(self) -> bool:
        """Whether the record rises beyond what noise explains."""
        return bool(self.rise > CERTAIN * self.error)


def trend(record: np.ndarray) -> Trend:
    """Compares the last quarter of a record with the quarter before.

    Args:
        record: One number per epoch, such as `history["elbo"]`.

    Example:
        ```python
        import numpy as np
        from kprob.diagnostics import trend

        noise = np.random.default_rng(0).normal(size=400)
        assert not trend(noise).certain
        assert trend(noise + 0.05 * np.arange(400)).certain
        ```
    """
    record = np.asarray(record, "float64")
    quarter = len(record) // 4
    if len(record) < LEAST_ENTRIES or not np.isfinite(record[-2 * quarter :]).all():
        return Trend(0.0, float("nan"), 0.0)
    before, last = record[-2 * quarter : -quarter], record[-quarter:]
    rise = float(np.mean(last) - np.mean(before))
    # A trend within the quarters is no noise: left in, it would count as autocorrelation and hide itself.
    error = np.hypot(_error(_detrended(before)), _error(_detrended(last)))
    return Trend(rise, float(error), float(np.mean(last) - np.mean(record[: max(1, quarter // 4)])))


def _error(values: np.ndarray) -> float:
    return float(mcse_mean(values[None])) if np.ptp(values) > 0 else 0.0


def _detrended(values: np.ndarray) -> np.ndarray:
    time = np.arange(len(values)) - (len(values) - 1) / 2
    return values - np.mean(values) - time * (time @ values) / (time @ time)
