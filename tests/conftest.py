"""What every test shares: quiet logs, a fixed seed, and the way to data that may not be there."""

import contextlib
import gc
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest


@contextlib.contextmanager
def quiet():
    """Drops what C++ code writes to standard error; Python's errors still come through."""
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


# TensorFlow greets on loading whatever its log level is, once in each test process.
with quiet():
    import keras

ROOT = Path(__file__).resolve().parents[1]


# Compiling takes most of the tests' time, and on JAX everything is compiled. What these tests are about hardly touches the
# backend, or has its core tested elsewhere; on JAX they run with `make test-all`.
SLOW_ON_JAX = (
    *("callbacks", "catalogue", "diagnostics", "plots", "posteriordb", "saving", "test_docstrings.py"),
    *("guides/test_contract.py", "objectives/test_contract.py", "engine/enumeration/test_time.py"),
    *("guides/test_known_answers.py", "test_inferpy_mistakes.py", "mcmc/test_samplers.py", "models/test_trust.py"),
)


def pytest_collection_modifyitems(items):
    """Marks what `make test` leaves out on JAX."""
    if keras.backend.backend() != "jax":
        return
    for item in items:
        path = item.path.relative_to(ROOT / "tests").as_posix()
        if path.startswith(SLOW_ON_JAX):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _fixed_seed():
    """Every test starts from the same random state, whichever tests ran before it."""
    keras.utils.set_random_seed(20240229)


@pytest.fixture(scope="module", autouse=True)
def _programs_go():
    """What a module of tests compiled goes with it: hundreds of programs would fill the memory."""
    yield
    gc.collect()
    if keras.backend.backend() == "jax":
        import jax

        jax.clear_caches()


@pytest.fixture(scope="session")
def requires_shared():
    """Returns `find(*parts)`: the path of a file under the development data, or a skip.

    The data lie beside the checkout, in `../shared/data`, or where `KPROB_DATA` says. They are not
    part of kprob, so a test that wants them skips where they are missing.

    Example:
        def test_digits(requires_shared):
            path = requires_shared("mnist", "mnist.npz")
    """
    folder = Path(os.environ.get("KPROB_DATA", ROOT.parent / "shared" / "data"))

    def find(*parts):
        path = folder.joinpath(*parts)
        if not path.exists():
            pytest.skip(f"development data are not here: {Path(*parts)} (set KPROB_DATA)")
        return path

    return find


def pytest_report_header():
    """Says which backend the numbers below belong to."""
    return f"keras {keras.__version__}, backend {keras.backend.backend()}"
