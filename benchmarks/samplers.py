"""(h) Five posteriors, 4 chains of 1,000 + 1,000 transitions: effective draws per second, and the wait for the first 400.

Warm figures are of whole runs, warm-up included, by programs that are compiled already.
"""

import math
import statistics
from collections.abc import Sequence

from benchmarks import problems
from benchmarks.contest import KPROB, Contestant, Result, kprob_contestants, run_first, run_warm
from benchmarks.table import Bar, Row, Section, quantity, timing_rows

ROUNDS = 3
COLD_ROUNDS = 1
TITLES = {
    "logistic": "logistic regression, 2,000 x 20",
    "schools": "eight schools, non-centred",
    "ruggedness": "terrain ruggedness, 170 x 3",
    "groups": "hierarchical regression, 100 groups",
    "volatility": "stochastic volatility, 500 steps",
}
LARGE = ("logistic", "groups", "volatility")
PEERS = ("NumPyro, parallel", "NumPyro, vectorised")  # of which the faster one is the bar


def contestants(problem: str) -> list[Contestant]:
    """Returns the contestants for a posterior."""
    jax, chains = ("numpyro", "jax", "arviz"), problems.CHAINS
    return [
        *kprob_contestants("benchmarks.ours.kprob_samplers", problem, ("arviz",)),
        Contestant("NumPyro", "benchmarks.peers.numpyro_nuts", jax, problem=problem, devices=chains),
        Contestant("BlackJAX", "benchmarks.peers.blackjax_mclmc", (*jax, "blackjax"), problem=problem, devices=chains),
    ]


def run() -> list[Section]:
    """Measures the case."""
    sections, ratios = [], {label: [] for label in KPROB}
    for problem, title in TITLES.items():
        results = run_warm(contestants(problem), ROUNDS)
        best = max((s for s in (speed(results, peer) for peer in PEERS) if s), default=None)
        bars = []
        for label in KPROB:
            ours = speed(results, f"{label}, NUTS")
            ratios[label].append(ours / best if ours and best else None)
            bars.append(Bar(f"{label}, NUTS / NumPyro's best", ratios[label][-1], 1.0, least=True))
            if problem in LARGE:
                mclmc = speed(results, f"{label}, MCLMC")
                ahead = mclmc / ours if ours and mclmc else None
                bars.append(Bar(f"{label}, MCLMC / NUTS", ahead, 1.0, least=True))
        sections.append(Section(f"(h) {title}: smallest bulk ESS per second, warm", speed_rows(results, best), bars))
        cold = [c for c in contestants(problem) if c.label != "BlackJAX"]
        seconds = run_first(cold, COLD_ROUNDS)
        heading = f"(h) {title}: seconds to {problems.EFFECTIVE_DRAWS} effective draws by NUTS, compilation included"
        sections.append(Section(heading, timing_rows(seconds, "NumPyro", compare=False), []))
    return [*sections, Section("(h) all five: NUTS / NumPyro's best, geometric mean", [], mean_bars(ratios))]


def speeds(result: Result) -> list[float]:
    """Returns the effective draws per second of each repetition."""
    return [draws / seconds for draws, seconds in zip(result.answers, result.seconds, strict=True)]


def speed(results: Sequence[Result], label: str) -> float | None:
    """Returns the median effective draws per second of a result, None where it is missing."""
    return next((statistics.median(speeds(r)) for r in results if r.label == label and r.seconds), None)


def speed_rows(results: Sequence[Result], best: float | None) -> list[Row]:
    """Returns a row for each result: effective draws per second, range, ratio, seconds and effective draws of a run."""
    rows = []
    for result in results:
        if result.median is None:
            rows.append(Row(result.label, "-", result.problem))
            continue
        found = speeds(result)
        middle, draws = statistics.median(found), statistics.median(result.answers)
        note = f"{min(found):,.0f} to {max(found):,.0f}"
        if best:
            note = f"{note:<20} {quantity(middle / best, 'x')}"
        rows.append(Row(result.label, f"{middle:,.0f} /s", f"{note:<28} {draws:,.0f} in {result.median:#.3g} s"))
    return rows


def mean_bars(ratios: dict[str, list[float | None]]) -> list[Bar]:
    """Returns the bars on the geometric means of ratios by contestant."""
    bars = []
    for label, found in ratios.items():
        mean = None if None in found else math.exp(statistics.fmean(math.log(ratio) for ratio in found))
        bars.append(Bar(f"{label}, NUTS / NumPyro's best", mean, 3.0, least=True))
    return bars
