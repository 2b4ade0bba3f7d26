"""(d) Seconds of `import kprob`, beside those of the packages that it can't do without."""

import subprocess
import sys
import tempfile
from functools import partial

from benchmarks.contest import Result, environment, last_error
from benchmarks.table import Section, difference_bar, timing_rows

ROUNDS = 3
KPROB = "import kprob"
# TFP is lazy: touching its distributions is what loads them.
STACK = "import keras, tensorflow, tensorflow_probability as tfp; tfp.distributions.Normal"
LABELS = {"import kprob": KPROB, "import keras, tensorflow, TFP": STACK}


def import_seconds(statement: str, bytecode: str) -> dict[str, float]:
    """Returns the seconds that `statement` takes in a fresh interpreter.

    Args:
        statement: What to run.
        bytecode: Folder of compiled modules. Where the machine keeps none (PYTHONDONTWRITEBYTECODE), the compiler's time
            would be measured, which a user pays once.

    Raises:
        RuntimeError: It failed.
    """
    program = f"import time; start = time.perf_counter()\n{statement}\nprint(time.perf_counter() - start)"
    kept = {**environment(), "PYTHONPYCACHEPREFIX": bytecode}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=kept,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"failed: {last_error(done.stderr)}")
    return {"seconds": float(done.stdout.split()[-1]), "answer": 0.0}


def run() -> list[Section]:
    """Measures the case."""
    results = [Result(label) for label in LABELS]
    with tempfile.TemporaryDirectory() as bytecode:
        for statement in LABELS.values():
            # Once unmeasured: compiled bytecode and a warm page cache for both.
            Result(statement).attempt(partial(import_seconds, statement, bytecode))
        for _ in range(ROUNDS):
            for result in results:
                result.attempt(partial(import_seconds, LABELS[result.label], bytecode))
    ours, theirs = LABELS
    bars = [difference_bar(results, ours, theirs, 0.3)]
    return [Section("(d) Import, in fresh processes", timing_rows(results, theirs), bars)]
