"""Wherever in a save a process is killed, the earlier file or the new one loads, and the next save sweeps up.

No clock decides where. The process that is to be killed counts what it asks of the system (Python's audit events), stops by
itself at the event that it was told, says so, and waits for its end.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from saving.saved_models import VAE

import kprob

TESTS = Path(__file__).parents[1]

# Starting Python and TensorFlow takes seconds, so one process starts, and forks one more for each kill. A fork saves once,
# with one number in all weights, in the optimizer and in the history.
SERVER = """
import os
import signal
import sys
import numpy as np
from kprob.saving import archive
from saving.saved_models import make_built

FILES = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree")
path = sys.argv[1]
model, _, _ = make_built("vae")
events = 0

def save(number):
    for variable in (*model.weights, *model.optimizer.variables):
        variable.assign(np.full(variable.shape, number).astype(variable.dtype))
    model.history.history = {"loss": [float(number)] * 3}
    model.save(path)

def stop():
    os.write(1, f"{os.getpid()} stopped\\n".encode())
    while True:
        signal.pause()

def count(event, _, last):
    global events
    if event in FILES:
        events += 1
        if events == last:
            stop()

def half(content, sealed):
    with open(sealed, "xb") as file:
        file.write(content.getbuffer()[:1000])
        file.flush()
        stop()

save(0)
print("ready", flush=True)
for line in sys.stdin:
    number, where = line.split()
    pid = os.fork()
    if pid == 0:
        if where == "half":
            archive.seal = half
        elif where != "end":
            sys.addaudithook(lambda event, args: count(event, args, int(where)))
        save(int(number))
        os.write(1, f"{os.getpid()} saved\\n".encode())
        os._exit(0)
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


class Server:
    """The process that forks those that are killed."""

    def __init__(self, process):
        self.process = process

    def save(self, number, where):
        """Saves in a fork that stops at `where`, kills it there; returns whether it got to the end."""
        print(number, where, file=self.process.stdin, flush=True)
        pid, state = self.process.stdout.readline().split()
        if state == "stopped":
            os.kill(int(pid), signal.SIGKILL)
        assert self.process.stdout.readline() == "dead\n"
        return state == "saved"


def leftovers(folder):
    return [name for name in os.listdir(folder) if name.startswith(".")]


@pytest.mark.parametrize("step", [6, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("ending", ["h5", pytest.param("keras", marks=pytest.mark.slow)])
def test_kill(ending, step, tmp_path):
    path = tmp_path / f"m.{ending}"
    (tmp_path / "server.py").write_text(SERVER)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])}
    command = [sys.executable, str(tmp_path / "server.py"), str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            server = Server(process)
            found, most = [saved_number(path)], 0
            if ending == "h5":
                assert not server.save(1, "half")
                assert saved_number(path) == 0 and leftovers(tmp_path)
            event, ended = 1, False
            while not ended:
                before = len(found)
                ended = server.save(before, event)
                found.append(saved_number(path))
                assert found[-1] in (found[-2], before)
                most = max(most, len(leftovers(tmp_path)))
                event += step
            assert len(found) > 2 and found[-1] == len(found) - 1
            assert most == 1, "each save sweeps up what the one before left"
            assert server.save(len(found), "end")
            assert saved_number(path) == len(found)
            assert not leftovers(tmp_path)
        finally:
            process.kill()
