"""(b) A normal's unknown mean and scale from 100 observations: 2,000 full-batch steps."""

from benchmarks.contest import KPROB, Contestant, kprob_contestants, run_warm
from benchmarks.table import Section, ratio_bar, timing_rows

ROUNDS = 7
CONTESTANTS = [
    *kprob_contestants("benchmarks.ours.kprob_normal"),
    Contestant("NumPyro", "benchmarks.peers.numpyro_normal", ("numpyro", "jax")),
    Contestant("Pyro", "benchmarks.peers.pyro_normal", ("pyro", "torch")),
]


def run() -> list[Section]:
    """Measures the case."""
    results = run_warm(CONTESTANTS, ROUNDS)
    bars = [
        bar
        for label in KPROB
        for bar in (
            ratio_bar(results, f"{label}, fit", "NumPyro, svi.run", 0.2),
            ratio_bar(results, f"{label}, bare loop", "NumPyro, bare loop", 1.2),
        )
    ]
    title = "(b) Normal with unknown mean and scale, 100 rows: seconds for 2,000 steps, second call"
    return [Section(title, timing_rows(results, "NumPyro, svi.run"), bars)]
