"""Every numbered example runs, in brief, and finds its own answer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.examples

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("[0-9]*.py"))
RUN = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='example')['main'](smoke=True)"


def test_there_are_examples():
    assert EXAMPLES, f"no numbered program in {ROOT / 'examples'}"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(path, tmp_path):
    search_path = os.pathsep.join([str(ROOT), str(path.parent)])
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": search_path, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{path.name}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
