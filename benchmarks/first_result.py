"""(c) Seconds from after the imports to the end of the first fit, compilation included."""

from benchmarks.contest import KPROB, Contestant, kprob_contestants, run_first
from benchmarks.table import Section, difference_bar, timing_rows

ROUNDS = 3
PROBLEMS = {
    "vae": "(c) First result of (a), compilation included: 1 epoch",
    "normal": "(c) First result of (b), compilation included: 2,000 steps",
}


def contestants(problem: str) -> list[Contestant]:
    """Returns the contestants for "vae" or "normal"."""
    ours = f"benchmarks.ours.kprob_{problem}"
    theirs = f"benchmarks.peers.numpyro_{problem}"
    return [
        *kprob_contestants(ours),
        Contestant("NumPyro", theirs, ("numpyro", "jax")),
    ]


def run() -> list[Section]:
    """Measures the case, each repetition in a fresh process."""
    sections = []
    for problem, title in PROBLEMS.items():
        results = run_first(contestants(problem), ROUNDS)
        bars = [difference_bar(results, label, "NumPyro", 2.0) for label in KPROB]
        sections.append(Section(title, timing_rows(results, "NumPyro"), bars))
    return sections
