"""(e) A regression on 5 million rows of 20 numbers streamed by tf.data: speed and memory."""

import json
import subprocess
import sys

from benchmarks.contest import environment, last_error
from benchmarks.table import Bar, Row, Section, quantity

TITLE = "(e) Regression on 5 million rows of 20 numbers, streamed by tf.data"


def run() -> list[Section]:
    """Measures the case; once, since memory is what it is about."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.ours.kprob_streaming"],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    claim = "growth from the first million rows to the end"
    if done.returncode:
        problem = f"failed: {last_error(done.stderr)}"
        rows = [Row("kprob (TensorFlow), fit", "-", problem)]
        return [Section(TITLE, rows, [Bar(claim, None, 200, "MB")])]
    seen = json.loads(done.stdout.splitlines()[-1])
    rows = [
        Row("kprob (TensorFlow), fit", quantity(seen["fit_rows_per_second"], "rows/s")),
        Row("reading the stream alone", quantity(seen["stream_rows_per_second"], "rows/s")),
        Row("memory after the first million rows", quantity(seen["early_megabytes"], "MB")),
        Row("memory at the end", quantity(seen["final_megabytes"], "MB")),
        Row("peak memory", quantity(seen["peak_megabytes"], "MB")),
        Row("largest error of a learned weight", f"{seen['weight_error']:.3f}"),
    ]
    growth = seen["final_megabytes"] - seen["early_megabytes"]
    return [Section(TITLE, rows, [Bar(claim, growth, 200, "MB")])]
