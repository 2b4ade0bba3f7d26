"""One contestant in its own process: `python -m benchmarks.contestant MODULE [--first] [--problem=NAME]`.

A contestant's module has two functions, or three. They lead to the negative ELBO per datum at the end of the
work: a number that shows that the work was done, and that makes the device finish inside the clock.

    prepare() -> {name: Measurement}    work that can be repeated, everything it needs made ready
    first_result() -> float             all from building the model to the end of the first fit
    first_answer(found) -> float        optional: the answer of what `first_result` returned, outside the clock

A case with several problems names one; both functions then take it as their argument.

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
from functools import partial
from typing import Any, NamedTuple

from benchmarks import problems


class Measurement(NamedTuple):
    """A repeatable piece of work.

    Args:
        run: Does the work and returns the negative ELBO per datum at its end.
        units: How many units (epochs, fits) one `run()` does; the seconds are divided by it.
        answer: Makes the answer of what `run()` returns, outside the clock; where it's left out, that is the answer.
    """

    run: Callable[[], Any]
    units: float = 1.0
    answer: Callable[[Any], float] | None = None


def measure(measurement: Measurement) -> dict[str, float]:
    """Runs `measurement` once.

    Returns:
        The seconds for one unit and the answer.
    """
    gc.collect()
    start = time.perf_counter()
    found = measurement.run()
    answer = float(found) if measurement.answer is None else 0.0
    seconds = time.perf_counter() - start
    if measurement.answer is not None:
        answer = float(measurement.answer(found))
    return {"seconds": seconds / measurement.units, "answer": answer}


def main(module_name: str, first: bool, problem: str) -> None:
    """Serves the measurements of one module over standard input and output."""
    # Libraries print; the answers travel on a private copy of standard output.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    module = importlib.import_module(module_name)
    # Made outside the clock, and kept: the data are nobody's work.
    if problem:
        problems.sampler_data(problem)
    else:
        problems.binary_images()
        problems.normal_data()
        problems.mixture_data()
    arguments = (problem,) if problem else ()
    if first:
        found = module.first_result
        answer = getattr(module, "first_answer", None)
        print(json.dumps(measure(Measurement(partial(found, *arguments), answer=answer))), file=answers)
        return
    measurements = module.prepare(*arguments)
    for measurement in measurements.values():
        measure(measurement)
    print(json.dumps(list(measurements)), file=answers)
    for line in sys.stdin:
        print(json.dumps(measure(measurements[line.strip()])), file=answers)


if __name__ == "__main__":
    options = sys.argv[2:]
    named = [option.removeprefix("--problem=") for option in options if option.startswith("--problem=")]
    main(sys.argv[1], "--first" in options, *named or [""])
