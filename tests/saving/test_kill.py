"""Whenever a process is killed while it saves, the earlier file loads."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from saving.saved_models import VAE

import kprob

TESTS = Path(__file__).parents[1]

# Starting Python and TensorFlow takes seconds, so one process starts, and forks one more for each kill. The fork
# saves without end, each time with one number in all weights, in the optimizer and in the history.
SERVER = """
import os
import sys
import numpy as np
from saving.saved_models import make_built

path = sys.argv[1]
model, _, _ = make_built("vae")

def save(number):
    for variable in (*model.weights, *model.optimizer.variables):
        variable.assign(np.full(variable.shape, number).astype(variable.dtype))
    model.history.history = {"loss": [float(number)] * 3}
    model.save(path)

save(0)
print("ready", flush=True)
number = 0
for line in sys.stdin:
    number = int(line)
    pid = os.fork()
    if pid == 0:
        while True:
            number += 1
            save(number)
    print(pid, flush=True)
    os.waitpid(pid, 0)
    print("dead", flush=True)
"""


def saved_number(path):
    """Returns the one number that a whole model was saved with."""
    model = kprob.load_model(path, custom_objects={"VAE": VAE})
    values = [*model.history.history["loss"]]
    for variable in (*model.weights, *model.optimizer.variables):
        values += np.unique(keras.ops.convert_to_numpy(variable)).tolist()
    assert len({int(value) for value in values}) == 1, values
    return int(values[0])


@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.slow)])
@pytest.mark.parametrize("ending", ["h5", pytest.param("keras", marks=pytest.mark.slow)])
def test_kill(ending, kills, tmp_path):
    path = tmp_path / f"m.{ending}"
    (tmp_path / "server.py").write_text(SERVER)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])}
    command = [sys.executable, str(tmp_path / "server.py"), str(path)]
    moment = random.Random(0)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as server:
        try:
            assert server.stdout.readline() == "ready\n"
            number = saved_number(path)
            for _ in range(kills):
                print(number, file=server.stdin, flush=True)
                child = int(server.stdout.readline())
                time.sleep(moment.uniform(0.0, 0.3))
                os.kill(child, signal.SIGKILL)
                assert server.stdout.readline() == "dead\n"
                before, number = number, saved_number(path)
                assert number >= before
        finally:
            server.kill()
    assert number > 0, "nothing was ever saved between two kills"
    leftovers = [name for name in os.listdir(tmp_path) if name.endswith(".tmp")]
    assert leftovers, "no kill came in the middle of a save"
