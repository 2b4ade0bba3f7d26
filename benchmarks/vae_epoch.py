"""(a) Seconds an epoch of a variational autoencoder 784-400-20, 10,000 rows in batches of 100."""

from benchmarks.contest import KPROB, Contestant, kprob_contestants, run_warm
from benchmarks.table import Section, ratio_bar, timing_rows

ROUNDS = 5
CONTESTANTS = [
    *kprob_contestants("benchmarks.ours.kprob_vae"),
    Contestant("NumPyro", "benchmarks.peers.numpyro_vae", ("numpyro", "jax")),
    Contestant("Pyro", "benchmarks.peers.pyro_vae", ("pyro", "torch")),
    Contestant("Keras + TFP by hand", "benchmarks.peers.keras_vae"),
]


def run() -> list[Section]:
    """Measures the case."""
    results = run_warm(CONTESTANTS, ROUNDS)
    bars = [
        ratio_bar(results, f"{label}, fit", peer, limit)
        for label in KPROB
        for peer, limit in (("NumPyro, compiled epoch", 1.1), ("Pyro, step loop", 0.6))
    ]
    title = "(a) VAE 784-400-20, batch 100, 10,000 rows: seconds an epoch"
    return [Section(title, timing_rows(results, "NumPyro, compiled epoch"), bars)]
