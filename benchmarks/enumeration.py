"""(g) A mixture of 50 normals over 10,000 points, labels summed out: one gradient step in means, scales and weights."""

from benchmarks.contest import KPROB, Contestant, kprob_contestants, run_warm
from benchmarks.table import Section, ratio_bar, timing_rows

ROUNDS = 7
CONTESTANTS = [
    *kprob_contestants("benchmarks.ours.kprob_mixture"),
    Contestant("NumPyro", "benchmarks.peers.numpyro_mixture", ("numpyro", "jax")),
    Contestant("NumPyro (funsor)", "benchmarks.peers.numpyro_mixture_enum", ("numpyro", "jax", "funsor")),
    Contestant("Pyro", "benchmarks.peers.pyro_mixture", ("pyro", "torch")),
]


def run() -> list[Section]:
    """Measures the case."""
    results = run_warm(CONTESTANTS, ROUNDS)
    peers = ("NumPyro (funsor), TraceEnum_ELBO", "Pyro, TraceEnum_ELBO")  # a sum by hand is shown beside them
    bars = [ratio_bar(results, f"{label}, fit", peer, 1.0) for label in KPROB for peer in peers]
    title = "(g) Mixture of 50 normals, 10,000 points, labels summed out: seconds for one step"
    return [Section(title, timing_rows(results, "NumPyro, sum by hand"), bars)]
