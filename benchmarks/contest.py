"""Starts one process for each contestant and measures them in turn.

Interleaving is what makes ratios fair: on a shared machine a slow minute then falls on everybody
alike. All processes run on the same two cores at most, one measurement at a time, on the CPU.
"""

import contextlib
import importlib.util
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

NUM_CORES = 2
SECONDS = 60.0  # after which a case begins no further round
KPROB = {"kprob (TensorFlow)": "tensorflow", "kprob (JAX)": "jax"}  # label: Keras backend


@dataclass(frozen=True)
class Contestant:
    """A library's side of a case.

    Args:
        label: Its name in the table, such as "NumPyro".
        module: The module that a `contestant` process runs.
        requires: Packages without which it is skipped.
        backend: The Keras backend, for a contestant that uses Keras.
        problem: Which of the case's problems, where it has several.
        devices: How many devices JAX is to make of the CPU (NumPyro's `set_host_device_count`, but before any import).
    """

    label: str
    module: str
    requires: tuple[str, ...] = ()
    backend: str = "tensorflow"
    problem: str = ""
    devices: int = 1

    def command(self, *options: str) -> list[str]:
        """Returns the command that runs it."""
        problem = [f"--problem={self.problem}"] if self.problem else []
        return [sys.executable, "-m", "benchmarks.contestant", self.module, *problem, *options]

    def missing(self) -> str:
        """Returns why it can't run here, or an empty string."""
        absent = [name for name in self.requires if importlib.util.find_spec(name) is None]
        return f"skipped: {', '.join(absent)} not installed" if absent else ""


@dataclass
class Result:
    """The repetitions of one measurement.

    Args:
        label: Who and what: "NumPyro, compiled epoch".
        seconds: One number for each repetition.
        answers: The negative ELBO per datum at the end of each repetition.
        problem: Why there are no numbers, where there are none.
    """

    label: str
    seconds: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    problem: str = ""

    @property
    def median(self) -> float | None:
        """The median of the seconds, or None where it didn't run."""
        return statistics.median(self.seconds) if self.seconds else None

    def attempt(self, measure: Callable[[], Mapping[str, float]]) -> None:
        """Adds a repetition; the first failure is kept as the problem and no more is tried."""
        if self.problem:
            return
        try:
            measured = measure()
        except RuntimeError as error:
            self.problem = str(error)
            self.seconds.clear()
            return
        self.seconds.append(measured["seconds"])
        self.answers.append(measured["answer"])


def kprob_contestants(module: str, problem: str = "", requires: tuple[str, ...] = ()) -> list[Contestant]:
    """Returns kprob on each backend, its side of the case being `module`."""
    return [Contestant(label, module, (backend, *requires), backend, problem) for label, backend in KPROB.items()]


def environment(backend: str = "tensorflow", devices: int = 1) -> dict[str, str]:
    """Returns a contestant's environment: the CPU, quiet logs, its Keras backend, and JAX's devices where it wants many."""
    many = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"} if devices > 1 else {}
    return {
        **os.environ,
        "KERAS_BACKEND": backend,
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        **many,
    }


def limit_cores() -> None:
    """Keeps this process and all that it starts on two cores, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:NUM_CORES])


class Process:
    """A contestant's process.

    It starts at once and gets ready by itself; its first answer, the names of its measurements,
    says that it is.
    """

    def __init__(self, contestant: Contestant, *options: str):
        self.contestant = contestant
        self._errors = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            contestant.command(*options),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment(contestant.backend, contestant.devices),
        )

    def measure(self, name: str) -> dict[str, float]:
        """Runs one repetition of the measurement `name`."""
        with contextlib.suppress(BrokenPipeError):  # `read` says why
            self._process.stdin.write(name + "\n")
            self._process.stdin.flush()
        return self.read()

    def read(self):
        """Returns what the process answers next.

        Raises:
            RuntimeError: The process ended instead; the message is the last line of its errors.
        """
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"failed: {self._last_error()}")
        return json.loads(line)

    def close(self) -> None:
        """Ends the process."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def _last_error(self) -> str:
        self._process.wait()
        self._errors.seek(0)
        return last_error(self._errors.read()) or f"status {self._process.returncode}"


def last_error(text: str) -> str:
    """Returns the message of the traceback in what a process wrote, or its last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]+(Error|Exception)\b", line)]
    return (errors or lines or [""])[-1]


def run_warm(contestants: Sequence[Contestant], rounds: int) -> list[Result]:
    """Measures what every contestant offers, in turn, `rounds` times; fewer on a busy machine.

    Returns:
        A result for each measurement, and one that says why for each contestant that couldn't run.
    """
    # They get ready side by side; nothing is measured before the last one is.
    processes = [None if c.missing() else Process(c) for c in contestants]
    results: list[Result] = []
    repetitions: list[Callable[[], None]] = []
    for contestant, process in zip(contestants, processes, strict=True):
        try:
            names = process.read() if process else []
        except RuntimeError as error:
            names, problem = [], str(error)
        else:
            problem = contestant.missing()
        if not names:
            results.append(Result(contestant.label, problem=problem))
        for name in names:
            results.append(Result(f"{contestant.label}, {name}"))
            repetitions.append(partial(results[-1].attempt, partial(process.measure, name)))
    latest = time.perf_counter() + SECONDS
    for _ in range(rounds):
        for repetition in repetitions:
            repetition()
        if time.perf_counter() > latest:
            break
    for process in filter(None, processes):
        process.close()
    return results


def run_first(contestants: Sequence[Contestant], rounds: int) -> list[Result]:
    """Measures every contestant's first result in turn, each repetition in a fresh process.

    Returns:
        A result for each contestant.
    """
    results = [Result(c.label, problem=c.missing()) for c in contestants]
    for _ in range(rounds):
        for contestant, result in zip(contestants, results, strict=True):
            result.attempt(partial(measure_first, contestant))
    return results


def measure_first(contestant: Contestant) -> dict[str, float]:
    """Returns the time to `contestant`'s first result, in a fresh process."""
    process = Process(contestant, "--first")
    try:
        return process.read()
    finally:
        process.close()
