"""(f) Seconds an epoch of an importance weighted autoencoder, 50 draws: kprob against one batched by hand."""

from benchmarks.contest import KPROB, Contestant, kprob_contestants, run_warm
from benchmarks.table import Section, ratio_bar, timing_rows

ROUNDS = 5
BY_HAND = "Keras + TFP by hand, fit, jit"
CONTESTANTS = [
    *kprob_contestants("benchmarks.ours.kprob_iwae"),
    Contestant("Keras + TFP by hand", "benchmarks.peers.keras_iwae"),
    Contestant("NumPyro", "benchmarks.peers.numpyro_iwae", ("numpyro", "jax")),
]


def run() -> list[Section]:
    """Measures the case."""
    results = run_warm(CONTESTANTS, ROUNDS)
    gradients = ("plain", "doubly reparameterised")
    bars = [ratio_bar(results, f"{label}, {gradient}", BY_HAND, 1.1) for label in KPROB for gradient in gradients]
    title = "(f) IWAE 784-200-200-50, 50 draws, batch 100, 1,000 rows: seconds an epoch"
    return [Section(title, timing_rows(results, BY_HAND), bars)]
