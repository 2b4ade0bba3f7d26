"""`model.diagnose(data)`: how far a fit is to be trusted, and what to do about it.

The verdict weighs importance weights and short chains: `fit_verdict` says how.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kprob.backend.seeds import numpy_generator, seed_of
from kprob.checks import check_count
from kprob.diagnostics.pareto_smoothing import EVEN_SHARE, GOOD_K, Smoothed, pareto_smooth
from kprob.diagnostics.trend import Trend, trend
from kprob.engine import Networks
from kprob.errors import names
from kprob.evaluation.chain_figures import chain_figures
from kprob.evaluation.fit_verdict import (
    CLOSE,
    ELSEWHERE,
    MENDABLE,
    ChainFigures,
    WeightFigures,
    is_off,
    verdict,
)
from kprob.evaluation.guide_advice import NUTS, next_guide
from kprob.evaluation.moved_moments import Moved, moved_by_weights, worst_of
from kprob.numerics import log_mean_exp
from kprob.queries.importance_weights import has_row_weights, weigh, weighable_data

# A rise that noise doesn't explain may still be too small to matter: of the whole posterior, and of the rise so far.
RISE_NATS = 0.5
RISE_SHARE = 0.01
WORST = 5
MAX_ROWS, NUM_CHAINS = 1000, 512
ADVICE_ON_ROWS = "Try a larger inference network, a richer q, or more epochs."


@dataclass(frozen=True)
class Diagnosis:
    """How good the fit of an inference network is. `str()` says it in words.

    Attributes:
        verdict: "close" where q may be taken for the posterior as it is, "mendable" where importance resampling gives the
            posterior's moments and q doesn't, "far" where neither may be trusted. A fit may be close though k-hat is large,
            where its means and widths are right and only its far tails or many dimensions make the weights uneven.
        k_hat: Shape of the tail of the importance weights: of each row where all latents are in the data plate, else one
            number. Above 0.7 nothing that rests on the weights may be trusted: evidence, importance resampling.
        rows: Which rows of the data `k_hat` is about, or None where it is one number.
        elbo: ELBO on the data, per datum, as `fit` logs it.
        elbo_error: Its Monte Carlo standard error.
        ess: Effective sample size of importance sampling out of `num_samples`; per row as `k_hat`.
        gap: By how much the ELBO lies below the evidence, as far as the weights can tell; per row as `k_hat`.
        k_hat_error: Standard error of `k_hat`: other draws would give another one.
        trend: How the ELBO moved at the end of the last fit, per datum; None without history.
        moved: By latent, how far importance weights move it: (shift of the mean in q's standard deviations, ratio of
            the standard deviations), each of the number of the site that moves most.
        chains: What short chains from q's draws say; None where there are none: the latents are discrete and aren't summed
            out, or the data has too many rows.
        advice: What to try next.
        num_samples: Number of draws.
        num_data: Number of rows.
        model_name: Name of the model.
    """

    k_hat: np.ndarray
    rows: np.ndarray | None
    elbo: float
    elbo_error: float
    ess: np.ndarray
    gap: np.ndarray
    k_hat_error: np.ndarray
    verdict: str
    trend: Trend | None
    moved: dict[str, tuple[float, float]] = field(repr=False)
    chains: ChainFigures | None = field(repr=False)
    advice: str = field(repr=False)
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
        """Whether q may be taken for the posterior as it is."""
        return self.verdict == CLOSE

    @property
    def good(self) -> bool:
        """Whether q is close to the posterior, and the fit has come to its end."""
        return self.close and not self.still_rising

    @property
    def worst_sites(self) -> list[str]:
        """The latents that are moved most, worst first: by chains where there are any, else by importance weights."""

        def size(name: str) -> float:
            shift, ratio = self._moves[name]
            return abs(shift) + abs(np.log(ratio))

        return sorted(self._moves, key=size, reverse=True)

    def __str__(self) -> str:
        return " ".join([*self._facts(), *self._advice()])

    @property
    def _moves(self) -> dict[str, tuple[float, float]]:
        trusted = self.chains is None or (self.verdict == MENDABLE and not np.any(self.chains.off))
        return self.moved if trusted or self.chains is None else self.chains.moved

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
                f"k-hat is {float(self.k_hat):.2f} ± {float(self.k_hat_error):.2f}; {float(self.ess):.0f} of "
                f"{self.num_samples} importance draws count; by them the evidence is {float(self.gap):.2g} above the ELBO."
            )
        return said

    def _advice(self) -> list[str]:
        said = ["Fit for more epochs, or with a larger learning rate."] if self.still_rising else []
        if self.chains is not None and self.chains.elsewhere > ELSEWHERE:
            return [
                *said,
                f"q isn't the posterior: {self.chains.elsewhere:.0%} of the chains from far out end in another mode, which is as "
                "likely as q's and has none of its draws. Where the modes differ by an exchange of labels, order the components; "
                f"else {NUTS}, from several starts.",
            ]
        if self.close:
            word = "q is close to the posterior"
            if self.per_row and self.share_above > 0:
                word += f", less so in rows such as {_listed(self.worst_rows)}"
            elif not self.per_row and self.share_above > 0 and float(self.ess) < EVEN_SHARE * self.num_samples:
                word += (
                    ": means and widths are right, but not what rests on the weights (evidence, importance_resample)"
                )
            return [*said, word + "."]
        if self.verdict == MENDABLE:
            said.append(f"q is usable with importance_resample=True, not as it is{self._where()}.")
        else:
            said.append(f"q isn't close to the posterior: don't trust its spread{self._where()}.")
        return [*said, self.advice]

    def _where(self) -> str:
        worst = [name for name in self.worst_sites[:3] if self._is_moved(name)]
        said = ""
        if worst:
            shift, ratio = self._moves[worst[0]]
            what = "the weights give" if self._moves is self.moved else "short chains give"
            way = (
                f"{ratio:.2g} times q's standard deviation"
                if abs(np.log(ratio)) > abs(shift)
                else (f"a mean {abs(shift):.2g} of q's standard deviations {'higher' if shift > 0 else 'lower'}")
            )
            said = f", above all of {names(worst)} ({what} `{worst[0]}` {way})"
        return said + (f"; the worst rows are {_listed(self.worst_rows)}" if self.per_row else "")

    def _is_moved(self, name: str) -> bool:
        shift, ratio = self._moves[name]
        return abs(shift) > 0.2 or abs(np.log(ratio)) > 0.15


def diagnose(
    networks: Networks,
    record: Sequence[float],
    x: Any,
    num_samples: int,
    max_rows: int,
    seed: int | None,
    num_chains: int = NUM_CHAINS,
) -> Diagnosis:
    """Diagnoses the fit of an inference network.

    Args:
        networks: The networks of a fitted model.
        record: ELBO of each epoch of the last fit, or nothing.
        x: The data of the fit, or other data that the inference network takes.
        num_samples: Draws of q.
        max_rows: Rows to look at, where each row has its own k-hat.
        seed: Makes the result repeatable.
        num_chains: Short chains from q's draws, at most; 0 for none.
    """
    check_count("num_samples", num_samples, 2)
    check_count("max_rows", max_rows)
    check_count("num_chains", num_chains, 0)
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
    moves = {name: moved_by_weights(value, smoothed.weights) for name, value in weighted.values.items()}
    weight_figures = _weight_figures(weights, smoothed, moves, weighted.values)
    chains = None
    if weight_figures.spreads and latents:
        chains = chain_figures(networks, data, rows, weighted.values, smoothed.weights, num_chains, key)
    per_draw = weights / number if rows is None else np.mean(weights, axis=1)
    size = sum(value[0].size for value in weighted.values.values()) if rows is None else None
    return Diagnosis(
        smoothed.k_hat,
        rows,
        float(np.mean(per_draw)),
        float(np.std(per_draw, ddof=1) / np.sqrt(num_samples)),
        smoothed.ess,
        weight_figures.gap,
        smoothed.k_hat_error,
        verdict(weight_figures, chains),
        trend(np.asarray(record)) if len(record) else None,
        {name: worst_of(moved, rows is not None) for name, moved in moves.items()},
        chains,
        ADVICE_ON_ROWS if rows is not None else next_guide(networks.inference, size, bool(networks.reparam)),
        num_samples,
        number,
        networks.model_name,
    )


def k_hat_of(networks: Networks, x: Any, num_samples: int, seed: int | None) -> np.ndarray:
    """Returns k-hat alone, which takes no chains: a number, or one for each of up to 1,000 rows."""
    return diagnose(networks, (), x, num_samples, MAX_ROWS, seed, num_chains=0).k_hat


def _weight_figures(
    log_weights: np.ndarray, smoothed: Smoothed, moves: dict[str, Moved], values: dict[str, np.ndarray]
) -> WeightFigures:
    off = np.zeros(log_weights.shape[1:], bool)
    for moved in moves.values():
        off = off | np.any(is_off(moved), axis=-1)
    gap = log_mean_exp(log_weights) - np.mean(log_weights, axis=0)
    spreads = all(np.all(np.ptp(value, axis=0) > 0) for value in values.values())
    number = len(log_weights)
    return WeightFigures(smoothed.k_hat, smoothed.k_hat_error, smoothed.ess, number, gap, off, spreads)


def _listed(rows: np.ndarray) -> str:
    return ", ".join(str(row) for row in rows)
