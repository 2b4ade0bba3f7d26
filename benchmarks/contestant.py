"""One contestant in its own process: `python -m benchmarks.contestant MODULE [--first]`.

A contestant's module has two functions. Both lead to the negative ELBO per datum at the end of the
work: a number that shows that the work was done, and that makes the device finish inside the clock.

    prepare() -> {name: Measurement}    work that can be repeated, everything it needs made ready
    first_result() -> float             all from building the model to the end of the first fit

The process answers in JSON, one line each: first the names it offers (each has been run once, so
that nothing is left to compile), then for each name that it reads the seconds that one unit took.
With `--first` it times `first_result()` once, from after the imports, and ends.
"""

import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from benchmarks import problems


class Measurement(NamedTuple):
    """A repeatable piece of work.

    Args:
        run: Does the work and returns the negative ELBO per datum at its end.
        units: How many units (epochs, fits) one `run()` does; the seconds are divided by it.
    """

    run: Callable[[], float]
    units: float = 1.0


def measure(measurement: Measurement) -> dict[str, float]:
    """Runs `measurement` once.

    Returns:
        The seconds for one unit and the answer.
    """
    gc.collect()
    start = time.perf_counter()
    answer = float(measurement.run())
    seconds = time.perf_counter() - start
    return {"seconds": seconds / measurement.units, "answer": answer}


def main(module_name: str, first: bool) -> None:
    """Serves the measurements of one module over standard input and output."""
    # Libraries print; the answers travel on a private copy of standard output.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    module = importlib.import_module(module_name)
    # Made outside the clock, and kept: the data are nobody's work.
    problems.binary_images()
    problems.normal_data()
    problems.mixture_data()
    if first:
        print(json.dumps(measure(Measurement(module.first_result))), file=answers)
        return
    measurements = module.prepare()
    for measurement in measurements.values():
        measure(measurement)
    print(json.dumps(list(measurements)), file=answers)
    for line in sys.stdin:
        print(json.dumps(measure(measurements[line.strip()])), file=answers)


if __name__ == "__main__":
    main(sys.argv[1], first="--first" in sys.argv[2:])
