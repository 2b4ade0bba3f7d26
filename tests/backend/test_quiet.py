"""TensorFlow's greetings stay away from standard error, and nothing else does; no program is traced more often than it must be."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import kprob
from kprob import tfd
from kprob.backend.quiet import without_greetings

ROOT = Path(__file__).resolve().parents[2]

GREETING = b"I0000 00:00:1.2 3 port.cc:153] oneDNN custom operations are on. You may see slightly different results.\n"
ERROR = b"E0000 00:00:1.2 3 somewhere.cc:1] something is really wrong\n"


@pytest.mark.once
def test_only_greetings_are_kept_back(capfd):
    with without_greetings():
        os.write(2, GREETING + ERROR + GREETING)
    os.write(2, GREETING)
    assert capfd.readouterr().err.encode() == ERROR + GREETING


@pytest.mark.once
def test_an_error_inside_comes_through_with_what_was_written(capfd):
    with pytest.raises(ImportError, match="no such thing"), without_greetings():
        os.write(2, ERROR)
        raise ImportError("no such thing")
    assert capfd.readouterr().err.encode() == ERROR


PROGRAM = """
import kprob
import keras
assert keras.ops.sum(keras.ops.ones(3)) == 3
"""


def test_a_program_that_imports_kprob_first_says_nothing():
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


class Warnings(logging.Handler):
    """Keeps what TensorFlow warns of."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.messages = []

    def emit(self, record):
        self.messages.append(record.getMessage())


@pytest.mark.once
def test_many_models_in_one_process_are_not_taken_for_one_that_is_traced_again_and_again(monkeypatch):
    @kprob.probmodel
    def normal():
        loc = kprob.sample("loc", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(loc, 1.0))

    found = Warnings()
    logger = logging.getLogger("tensorflow")
    logger.addHandler(found)
    try:
        for _ in range(7):
            model = normal().compile(kprob.ELBO(), "sgd", jit_compile=False)
            model.fit({"x": np.ones(3, "float32")}, verbose=0)
            model.evaluate({"x": np.ones(3, "float32")}, verbose=0)
    finally:
        logger.removeHandler(found)
    assert not [message for message in found.messages if "retracing" in message]


def test_a_verb_that_is_called_again_runs_no_network_again():
    # Python runs a network to trace it: once for each kind of question and shape of data.
    runs = [0]

    class Normal(kprob.ProbabilisticModel):
        def __init__(self):
            super().__init__()
            self.loc = kprob.layers.Normal()
            self.x = kprob.layers.Normal()

        def generative(self):
            runs[0] += 1
            loc = self.loc()
            with kprob.plate("data"):
                self.x(loc=loc)

    data = {"x": np.ones(4, "float32")}
    model = Normal().compile(kprob.ELBO(), "sgd", jit_compile=False)
    model.fit(data, verbose=0)
    verbs = {
        "fit": lambda: model.fit(data, verbose=0, epochs=2),
        "fit in batches": lambda: model.fit(data, verbose=0, batch_size=2),
        "evaluate": lambda: model.evaluate(data, verbose=0),
        "predict": lambda: model.posterior_predictive("x", {}).sample(3),
        "posterior": lambda: model.posterior("loc", data).sample(5),
        "prior": lambda: model.prior("x").sample(5),
    }
    again = {}
    for name, verb in verbs.items():
        verb()
        verb()
        before = runs[0]
        for _ in range(3):
            verb()
        again[name] = runs[0] - before
    assert not any(again.values()), again
    keras.backend.clear_session()
