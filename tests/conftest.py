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


# Compiling takes most of the tests' time, and XLA's programs stay in memory. These compile one model after the other, for what
# has its core tested elsewhere; they run with `make test-all`.
SLOW = (
    *("guides/test_contract.py", "guides/test_known_answers.py", "guides/test_encoder.py"),
    *(
        "objectives/test_contract.py",
        "objectives/test_gradients.py",
        "objectives/test_score_function.py",
        "posteriordb",
    ),
    *(
        "samplers/test_samplers.py",
        "samplers/test_smc.py",
        "samplers/test_sampler.py",
        "samplers/test_parallel_tempering.py",
        "samplers/chains/test_starting_points.py",
        "samplers/test_precision.py",
        "samplers/test_discrete_gibbs.py",
        "samplers/test_preconditioner.py",
        "samplers/test_vectorized.py",
    ),
    *("models/test_trust.py", "models/test_reparam.py", "models/test_sampling.py", "models/test_arviz.py"),
    *("engine/enumeration/test_time.py", "engine/enumeration/test_graphs.py", "diagnostics/test_calibration.py"),
    *("callbacks", "models/test_parts.py", "models/test_iwae.py", "saving/test_former_models.py"),
)
# And on JAX, where everything is compiled, these: they hardly touch the backend.
SLOW_ON_JAX = (
    *("catalogue", "diagnostics", "plots", "saving", "test_docstrings.py", "test_inferpy_mistakes.py"),
    *("engine/test_dependencies.py", "models/test_summary.py", "models/test_streams.py"),
)


def pytest_collection_modifyitems(items):
    """Marks what `make test` leaves out."""
    left_out = SLOW + (SLOW_ON_JAX if keras.backend.backend() == "jax" else ())
    for item in items:
        if item.path.relative_to(ROOT / "tests").as_posix().startswith(left_out):
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
