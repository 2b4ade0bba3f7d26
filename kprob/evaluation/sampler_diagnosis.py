"""`model.diagnose()` of a sampler's run: a table of the latents, and whether the draws are to be trusted."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kprob import diagnostics
from kprob.diagnostics.effective_sample_size import ESS_PER_CHAIN
from kprob.diagnostics.energy import MIN_BFMI
from kprob.diagnostics.ranking import LEAST_DRAWS
from kprob.diagnostics.rhat import MAX_RHAT
from kprob.errors import KprobError, explain, names
from kprob.samplers import Sampler
from kprob.samplers.chains.draws import Draws

DEEP_SHARE = 0.01
MAX_ROWS = 40
QUANTILES = (0.05, 0.5, 0.95)
COLUMNS = ("mean", "sd", "5%", "50%", "95%", "mcse_mean", "mcse_sd", "ess_bulk", "ess_tail", "rhat")
# How far, in standard deviations and beyond the noise of a mean, divergent draws lie from the rest where a site is named.
FAR, NOISE = 0.25, 2.0


@dataclass(frozen=True)
class SamplerDiagnosis:
    """How good a sampler's run is. `str()` gives the table and a paragraph of advice.

    Attributes:
        table: By element of a latent, such as `theta[0]`: mean, sd, 5%, 50%, 95%, mcse_mean, mcse_sd, ess_bulk, ess_tail
            and rhat.
        divergences: Divergent transitions among those kept.
        diverging_sites: Latents whose divergent draws lie away from the others, furthest first.
        bfmi: E-BFMI of each chain; NaN where the sampler has no energy.
        deep_share: Share of the transitions whose tree reached `max_tree_depth`; 0 where there is none.
        num_chains: Chains.
        num_draws: Draws of each chain.
        sampler: Name of the sampler.
        model_name: Name of the model.
    """

    table: dict[str, dict[str, float]]
    divergences: int
    diverging_sites: tuple[str, ...]
    bfmi: np.ndarray
    deep_share: float
    num_chains: int
    num_draws: int
    sampler: str
    model_name: str

    @property
    def max_rhat(self) -> float:
        """The largest R-hat."""
        return self._worst("rhat", np.nanmax)

    @property
    def min_ess_bulk(self) -> float:
        """The smallest effective sample size of the bulk."""
        return self._worst("ess_bulk", np.nanmin)

    @property
    def min_ess_tail(self) -> float:
        """The smallest effective sample size of the tails."""
        return self._worst("ess_tail", np.nanmin)

    @property
    def min_ess_wanted(self) -> int:
        """The effective sample size below which R-hat and quantiles are guesses: 100 per chain."""
        return ESS_PER_CHAIN * self.num_chains

    @property
    def good(self) -> bool:
        """Whether nothing speaks against the draws."""
        return not self.advice

    @property
    def advice(self) -> str:
        """What is wrong and what to do about it, naming the sites; empty where nothing is wrong."""
        checks = (self._on_divergences, self._on_rhat, self._on_ess, self._on_energy, self._on_depth)
        return " ".join(said for check in checks if (said := check()))

    def __str__(self) -> str:
        verdict = self.advice or "Nothing speaks against these draws."
        if not self.good:
            verdict = f"Don't trust this run of {self.sampler} yet. {verdict}"
        return "\n".join([self._title(), *self._lines(), "", verdict])

    def _worst(self, column: str, choose: Callable) -> float:
        values = np.array([row[column] for row in self.table.values()])
        return float(choose(values)) if np.isfinite(values).any() else float("nan")

    def _title(self) -> str:
        run = f"{self.num_chains} chains of {self.num_draws} draws, {self.divergences} divergent"
        return f"{self.model_name}, {self.sampler}: {run}"

    def _lines(self) -> list[str]:
        shown = list(self.table)
        left = ""
        if len(shown) > MAX_ROWS:
            shown = sorted(shown, key=lambda name: -np.nan_to_num(self.table[name]["rhat"]))[:MAX_ROWS]
            left = f"... and {len(self.table) - MAX_ROWS} more with a smaller rhat (`table` has them all)"
        width = max(len(name) for name in shown)
        lines = [" " * width + "".join(f"{column:>11}" for column in COLUMNS)]
        lines += [f"{name:<{width}}" + "".join(_cell(c, self.table[name][c]) for c in COLUMNS) for name in shown]
        return [*lines, *([left] if left else [])]

    def _elements(self, is_bad: Callable[[dict], bool], badness: Callable[[dict], float]) -> list[str]:
        bad = [name for name, row in self.table.items() if is_bad(row)]
        return sorted(bad, key=lambda name: -badness(self.table[name]))

    def _on_divergences(self) -> str:
        if not self.divergences:
            return ""
        number = f"{self.divergences} transition{'s' if self.divergences > 1 else ''}"
        share = self.divergences / (self.num_chains * self.num_draws)
        where = f", above all at unusual values of {names(self.diverging_sites[:3])}" if self.diverging_sites else ""
        return (
            f"{number} ({share:.1%}) diverged{where}: there the posterior narrows faster than the steps "
            "can follow, and the draws miss part of it. Write what depends on a scale non-centred (kprob.LocScale), "
            "or pass a target_accept_rate nearer to 1."
        )

    def _on_rhat(self) -> str:
        bad = self._elements(lambda row: row["rhat"] > MAX_RHAT, lambda row: row["rhat"])
        if not bad:
            return ""
        worst = self.table[bad[0]]["rhat"]
        return (
            f"R-hat is above {MAX_RHAT} for {_some(bad)} (up to {worst:.3g}): the chains don't agree yet. Call fit again for "
            "more draws, or raise num_warmup; where it stays, the chains sit in modes of their own."
        )

    def _on_ess(self) -> str:
        wanted = self.min_ess_wanted
        bad = self._elements(
            lambda row: min(row["ess_bulk"], row["ess_tail"]) < wanted,
            lambda row: -min(row["ess_bulk"], row["ess_tail"]),
        )
        if not bad:
            return ""
        row = self.table[bad[0]]
        return (
            f"{_some(bad)} {'have' if len(bad) > 1 else 'has'} fewer than {wanted} effective draws (down to "
            f"{row['ess_bulk']:.0f} in the bulk, {row['ess_tail']:.0f} in the tails): too few for quantiles. "
            "Call fit again for more draws, or reparameterise."
        )

    def _on_energy(self) -> str:
        low = np.flatnonzero(self.bfmi < MIN_BFMI)
        if not low.size:
            return ""
        return (
            f"E-BFMI is below {MIN_BFMI} in chain {', '.join(str(chain) for chain in low)} (down to {np.min(self.bfmi[low]):.2f}): "
            "momenta can't carry the chain through the tails. Reparameterise latents with heavy tails."
        )

    def _on_depth(self) -> str:
        if self.deep_share <= DEEP_SHARE:
            return ""
        return (
            f"{self.deep_share:.0%} of the trajectories ended because they reached max_tree_depth: the draws are right, but "
            "slow. Standardise covariates, or pass dense_mass=True."
        )


def diagnose_sampler(model_name: str, draws: Draws, sampler: Sampler) -> SamplerDiagnosis:
    """Diagnoses the draws of a model.

    Args:
        model_name: Name of the model.
        draws: Its draws.
        sampler: What made them.

    Raises:
        KprobError: There are too few.
    """
    if draws.num_draws < LEAST_DRAWS:
        raise KprobError(
            explain(
                "A run of a few draws can't be diagnosed.",
                received=f"{draws.num_draws} draws of each chain",
                expected=f"at least {LEAST_DRAWS}",
                fix="call model.fit(data) again: it goes on",
            )
        )
    diverging = draws.statistics["diverging"] > 0
    with np.errstate(all="ignore"):
        table = {name: row for site, value in draws.values.items() for name, row in _rows(site, value).items()}
        bfmi = diagnostics.bfmi(draws.statistics["energy"])
    limit = sampler.max_tree_depth
    deep = 0.0 if limit is None else float(np.mean(draws.statistics["tree_depth"] >= limit))
    return SamplerDiagnosis(
        table,
        int(diverging.sum()),
        _diverging_sites(draws, diverging),
        bfmi,
        deep,
        draws.num_chains,
        draws.num_draws,
        type(sampler).__name__,
        model_name,
    )


def _rows(site: str, value: np.ndarray) -> dict[str, dict[str, float]]:
    value = value.astype("float64")
    low, middle, high = np.quantile(value, QUANTILES, axis=(0, 1))
    constant = np.ptp(value, axis=(0, 1)) == 0  # zeros of a triangular matrix, say: nothing to be wrong with
    mixing = diagnostics.mixing(value)
    found = {
        "mean": value.mean(axis=(0, 1)),
        "sd": value.std(axis=(0, 1), ddof=1),
        "5%": low,
        "50%": middle,
        "95%": high,
        "mcse_mean": diagnostics.mcse_mean(value),
        "mcse_sd": diagnostics.mcse_sd(value),
        "ess_bulk": mixing.ess_bulk,
        "ess_tail": diagnostics.ess_tail(value),
        "rhat": mixing.rhat,
    }
    for name in ("mcse_mean", "mcse_sd", "ess_bulk", "ess_tail", "rhat"):
        found[name] = np.where(constant, np.nan, found[name])
    return {
        site + (f"[{', '.join(map(str, index))}]" if index else ""): {c: float(found[c][index]) for c in COLUMNS}
        for index in np.ndindex(value.shape[2:])
    }


def _diverging_sites(draws: Draws, diverging: np.ndarray) -> tuple[str, ...]:
    if not diverging.any() or diverging.all():
        return ()
    away, start = {}, 0
    for name, shape in draws.sites.items():
        size = int(np.prod(shape))
        columns = draws.positions[..., start : start + size].astype("float64")
        start += size
        spread = columns.std(axis=(0, 1))
        shift = np.abs(columns[diverging].mean(axis=0) - columns[~diverging].mean(axis=0))
        away[name] = float(np.max(shift / np.where(spread > 0, spread, 1.0), initial=0.0))
    far = max(FAR, NOISE / np.sqrt(diverging.sum()))
    return tuple(sorted((name for name in away if away[name] > far), key=lambda name: -away[name]))


def _some(found: list[str]) -> str:
    shown = names(found[:3])
    return shown if len(found) <= 3 else f"{shown} and {len(found) - 3} more"


def _cell(column: str, value: float) -> str:
    if column.startswith("ess"):
        return f"{value:>11.0f}"
    return f"{value:>11.3f}" if column == "rhat" else f"{value:>11.4g}"
