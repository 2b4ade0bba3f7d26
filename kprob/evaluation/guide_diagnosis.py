"""`model.diagnose(data)`: how far a fit is to be trusted, and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kprob.backend.seeds import numpy_generator, seed_of
from kprob.checks import check_count
from kprob.diagnostics.pareto_smoothing import GOOD_K, Smoothed, pareto_smooth
from kprob.diagnostics.trend import Trend, trend
from kprob.engine import Networks
from kprob.errors import names
from kprob.queries.importance_weights import has_row_weights, weigh, weighable_data

MANY_BAD = 0.1
# A rise that noise doesn't explain may still be too small to matter: of the whole posterior, and of the rise so far.
RISE_NATS = 0.5
RISE_SHARE = 0.01
CLOSE_K = 0.5
WORST = 5


@dataclass(frozen=True)
class Diagnosis:
    """How good the fit of an inference network is. `str()` says it in words.

    Attributes:
        k_hat: Shape of the tail of the importance weights: of each row where all latents are in the data plate, else one
            number. Below 0.5 q is close to the posterior, above 0.7 it isn't.
        rows: Which rows of the data `k_hat` is about, or None where it is one number.
        elbo: ELBO on the data, per datum, as `fit` logs it.
        elbo_error: Its Monte Carlo standard error.
        ess: Effective sample size of importance sampling out of `num_samples`; per row as `k_hat`.
        trend: How the ELBO moved at the end of the last fit, per datum; None without history.
        moved: By latent, how far importance weights move it: (shift of the mean in q's standard deviations, ratio of
            the standard deviations), each of the number of the site that moves most.
        num_samples: Number of draws.
        num_data: Number of rows.
        model_name: Name of the model.
    """

    k_hat: np.ndarray
    rows: np.ndarray | None
    elbo: float
    elbo_error: float
    ess: np.ndarray
    trend: Trend | None
    moved: dict[str, tuple[float, float]] = field(repr=False)
    num_samples: int
    num_data: int
    model_name: str

    @property
    def per_row(self) -> bool:
        """Whether each row has a k-hat of its own."""
        return self.rows is not None

    @property
    def share_above(self) -> float:
        """Share of the rows whose k-hat is above 0.7; 0 or 1 where there is one k-hat."""
        return float(np.mean(self.k_hat > GOOD_K))

    @property
    def worst_rows(self) -> np.ndarray:
        """The rows with the largest k-hat, worst first."""
        if self.rows is None:
            return np.zeros(0, int)
        return self.rows[np.argsort(-self.k_hat)[:WORST]]

    @property
    def still_rising(self) -> bool | None:
        """Whether the ELBO still rose at the end of the fit, beyond noise and a trifle; None where it isn't known."""
        if self.trend is None or not np.isfinite(self.trend.error):
            return None
        rise = self.trend.rise
        enough = rise * self.num_data > RISE_NATS and rise > RISE_SHARE * self.trend.whole_rise
        return self.trend.certain and enough

    @property
    def close(self) -> bool:
        """Whether q may be taken for the posterior: k-hat is below 0.7, in nearly all rows."""
        return self.share_above <= (MANY_BAD if self.per_row else 0)

    @property
    def good(self) -> bool:
        """Whether q is close to the posterior, and the fit has come to its end."""
        return self.close and not self.still_rising

    @property
    def worst_sites(self) -> list[str]:
        """The latents that importance weights move most, worst first."""

        def size(name: str) -> float:
            shift, ratio = self.moved[name]
            return abs(shift) + abs(np.log(ratio))

        return sorted(self.moved, key=size, reverse=True)

    def __str__(self) -> str:
        return " ".join([*self._facts(), *self._advice()])

    def _facts(self) -> list[str]:
        said = [f"{self.model_name}: ELBO {self.elbo:.6g} ± {self.elbo_error:.2g} per datum."]
        if self.trend is not None and self.still_rising is not None:
            said.append(
                f"It still rises: by {self.trend.rise:.3g} over the last quarter of the fit."
                if self.still_rising
                else "It has stopped rising."
            )
        if self.per_row:
            said.append(
                f"k-hat is above {GOOD_K} in {self.share_above:.0%} of {self.k_hat.size} rows "
                f"(median {np.median(self.k_hat):.2f}, worst {np.max(self.k_hat):.2f}); "
                f"{np.median(self.ess):.0f} of {self.num_samples} draws count in the middling row."
            )
        else:
            said.append(
                f"k-hat is {float(self.k_hat):.2f}; {float(self.ess):.0f} of {self.num_samples} importance draws count."
            )
        return said

    def _advice(self) -> list[str]:
        said = ["Fit for more epochs, or with a larger learning rate."] if self.still_rising else []
        if self.close:
            near = np.median(self.k_hat) < CLOSE_K
            word = "q is close to the posterior" if near else "q is usable; importance_resample=True improves its draws"
            if self.per_row and self.share_above > 0:
                word += f", but for rows such as {_listed(self.worst_rows)}"
            return [*said, word + "."]
        said.append("q isn't close to the posterior: don't trust its spread" + self._where() + ".")
        if self.per_row:
            said.append("Try a larger inference network, a richer q, or more epochs.")
        else:
            said.append(
                "Try a guide that knows how latents depend on each other, such as kprob.guides.MultivariateNormal(), "
                "or reparameterise the model."
            )
        return said

    def _where(self) -> str:
        worst = [name for name in self.worst_sites[:3] if self._is_moved(name)]
        said = ""
        if worst:
            shift, ratio = self.moved[worst[0]]
            way = (
                f"{ratio:.2g} times q's standard deviation"
                if abs(np.log(ratio)) > abs(shift)
                else (f"a mean {abs(shift):.2g} of q's standard deviations {'higher' if shift > 0 else 'lower'}")
            )
            said = f", above all of {names(worst)} (the weights give `{worst[0]}` {way})"
        return said + (f"; the worst rows are {_listed(self.worst_rows)}" if self.per_row else "")

    def _is_moved(self, name: str) -> bool:
        shift, ratio = self.moved[name]
        return abs(shift) > 0.2 or abs(np.log(ratio)) > 0.15


def diagnose(
    networks: Networks, record: Sequence[float], x: Any, num_samples: int, max_rows: int, seed: int | None
) -> Diagnosis:
    """Diagnoses the fit of an inference network.

    Args:
        networks: The networks of a fitted model.
        record: ELBO of each epoch of the last fit, or nothing.
        x: The data of the fit, or other data that the inference network takes.
        num_samples: Draws of q.
        max_rows: Rows to look at, where each row has its own k-hat.
        seed: Makes the result repeatable.
    """
    check_count("num_samples", num_samples, 2)
    check_count("max_rows", max_rows)
    data = weighable_data(networks, "diagnose", x)
    key = seed_of(seed, networks.host.seed_generator)
    rows, number = None, data.num_rows or 1
    if has_row_weights(networks):
        rows = np.arange(number)
        if number > max_rows:
            rows = np.sort(numpy_generator(key, 1).choice(number, max_rows, replace=False))
            data = data.take(rows)
    latents = networks.require_spec().latents
    weighted = weigh(networks, data, num_samples, key, latents, rows=rows)
    weights = weighted.log_weights.astype("float64")
    smoothed = pareto_smooth(weights)
    per_draw = weights / number if rows is None else np.mean(weights, axis=1)
    return Diagnosis(
        smoothed.k_hat,
        rows,
        float(np.mean(per_draw)),
        float(np.std(per_draw, ddof=1) / np.sqrt(num_samples)),
        smoothed.ess,
        trend(np.asarray(record)) if len(record) else None,
        {name: _moved(value, smoothed) for name, value in weighted.values.items()},
        num_samples,
        number,
        networks.model_name,
    )


def _moved(values: np.ndarray, smoothed: Smoothed) -> tuple[float, float]:
    values = values.astype("float64")
    weights = smoothed.weights.reshape(*smoothed.weights.shape, *[1] * (values.ndim - smoothed.weights.ndim))
    mean, sd = np.mean(values, axis=0), np.std(values, axis=0)
    weighted = np.sum(weights * values, axis=0)
    spread = np.sqrt(np.sum(weights * (values - weighted) ** 2, axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.where(sd > 0, (weighted - mean) / sd, 0.0).ravel()
        ratio = np.where((sd > 0) & (spread > 0), spread / sd, 1.0).ravel()
    if not shift.size:
        return 0.0, 1.0
    if smoothed.weights.ndim > 1:  # of many rows, the one in the middle: single rows are named by their k-hat
        return float(np.median(shift)), float(np.median(ratio))
    worst = int(np.argmax(np.abs(shift) + np.abs(np.log(ratio))))
    return float(shift[worst]), float(ratio[worst])


def _listed(rows: np.ndarray) -> str:
    return ", ".join(str(row) for row in rows)
