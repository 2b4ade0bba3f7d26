"""kprob on each Python that it promises: its files compile, and with Keras there it draws."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ("3.11", "3.12", "3.13")
NEEDED = ("keras", "tensorflow", "tensorflow_probability", "tf_keras", "h5py")

COMPILE = """
import pathlib, sys
for path in pathlib.Path(sys.argv[1]).rglob("*.py"):
    compile(path.read_text(encoding="utf-8"), str(path), "exec")
"""

MISSING = """
import importlib.util, sys
print(*[name for name in sys.argv[1:] if importlib.util.find_spec(name) is None])
"""

DRAW = """
import keras, kprob
keras.utils.set_random_seed(0)
draw = keras.ops.convert_to_numpy(kprob.layers.Normal(3)(loc=10.0, scale=0.001))
assert draw.shape == (3,) and (abs(draw - 10.0) < 0.1).all(), draw
assert len(set(draw.tolist())) == 3, draw
print("drawn")
"""


def run(python, code, *arguments):
    """Runs `code` in the interpreter, with kprob's sources on its path."""
    return subprocess.run(
        [python, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
    )


def find_interpreter(version):
    """Returns the path of a Python of `version` that really runs, or skips.

    Looks at this interpreter, at `KPROB_PYTHONS` (paths, parted as in PATH), at PATH, and at
    pyenv's versions, whose shims on the PATH may stand for nothing.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [
        sys.executable,
        *os.environ.get("KPROB_PYTHONS", "").split(os.pathsep),
        shutil.which(f"python{version}"),
        *sorted(map(str, pyenv.glob(f"versions/{version}.*/bin/python"))),
    ]
    for python in filter(None, candidates):
        found = run(python, "import sys; print('%d.%d' % sys.version_info[:2])")
        if found.returncode == 0 and found.stdout.strip() == version:
            return python
    pytest.skip(f"no Python {version} here")


@pytest.mark.parametrize("version", VERSIONS)
def test_sources_compile(version):
    done = run(find_interpreter(version), COMPILE, str(ROOT / "kprob"))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("version", VERSIONS)
def test_draws(version):
    python = find_interpreter(version)
    missing = run(python, MISSING, *NEEDED).stdout.split()
    if missing:
        pytest.skip(f"Python {version} is here, without {', '.join(missing)}")
    done = run(python, DRAW)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("drawn\n")
