"""A saved model is loaded in another process, which has the class and nothing else; and by the other backend."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from saving.saved_models import BINARY, make_built, state

import kprob

TESTS = Path(__file__).parents[1]

LOAD = """
import sys
import numpy as np
import kprob
from saving.saved_models import BINARY, VAE, state

model = kprob.load_model(sys.argv[1])
np.savez(sys.argv[2], **state(model), draws=model.posterior("z", BINARY).sample(3, seed=1))
assert model.history.epoch == [0, 1, 2]
model.fit(BINARY, epochs=4, initial_epoch=3, verbose=0)
"""

# A script that trains, saves and later loads has the class in `__main__`, and no other module does.
SCRIPT = """
import sys
import keras
import kprob
from kprob import layers

class Mean(kprob.ProbabilisticModel):
    def __init__(self, scale, **kwargs):
        super().__init__(**kwargs)
        self.mu = layers.Normal(loc=0.0, scale=scale)
        self.x = layers.Normal(scale=1.0)

    def generative(self):
        mu = self.mu()
        with kprob.plate("data"):
            self.x(loc=mu)

if __name__ == "__main__":
    model = Mean(7.0).compile(kprob.ELBO(), "adam")
    model.evaluate({"x": [1.0, 2.0]}, verbose=0)
    model.save(sys.argv[1])
"""

READ = """
import sys
import kprob
from train import Mean

model = kprob.load_model(sys.argv[1])
assert type(model) is Mean
print(model.mu.get_config()["scale"])
"""


def run(code, *arguments, folder, backend=None):
    """Runs a program in a new process, and returns what it prints."""
    path = folder / "program.py"
    path.write_text(code)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent), str(folder)])}
    environment["KERAS_BACKEND"] = backend or keras.backend.backend()
    done = subprocess.run(
        [sys.executable, str(path), *map(str, arguments)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


def test_a_new_process(tmp_path):
    model, _, _ = make_built("vae")
    model.save(tmp_path / "m.h5")
    run(LOAD, tmp_path / "m.h5", tmp_path / "found.npz", folder=tmp_path)
    found = np.load(tmp_path / "found.npz")
    expected = {**state(model), "draws": model.posterior("z", BINARY).sample(3, seed=1)}
    assert set(found.files) == set(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


@pytest.mark.slow
def test_the_other_backend(tmp_path):
    other = "jax" if keras.backend.backend() == "tensorflow" else "tensorflow"
    model, _, _ = make_built("vae")
    model.save(tmp_path / "m.h5")
    run(LOAD, tmp_path / "m.h5", tmp_path / "found.npz", folder=tmp_path, backend=other)
    found = np.load(tmp_path / "found.npz")
    for name, value in state(model).items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


@pytest.mark.slow
def test_a_script_and_another_that_imports_it(tmp_path):
    (tmp_path / "train.py").write_text(SCRIPT)
    run(SCRIPT, tmp_path / "m.h5", folder=tmp_path)
    assert run(READ, tmp_path / "m.h5", folder=tmp_path) == "7.0"
    with pytest.raises(kprob.errors.ArchiveError, match="Fix: define `Mean`"):
        kprob.load_model(tmp_path / "m.h5")
