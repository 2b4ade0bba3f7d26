"""`fit` of a model that was compiled with a sampler: right answers, and Keras's machinery around them."""

import _thread
import csv
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import keras
import numpy as np
import pytest

import kprob
from kprob import layers, tfd
from kprob.errors import KprobError

QUIET = {"verbose": 0}


class Temperature(kprob.ProbabilisticModel):
    runs = 0

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.temp = layers.Normal(loc=15.0, scale=2.0)
        self.sensor = layers.Normal(scale=1.0)

    def generative(self):
        type(self).runs += 1
        self.sensor(loc=self.temp())


def temperature(**options):
    sampler = kprob.samplers.HMC(
        num_warmup=150, num_samples=450, num_chains=2, block_size=150, num_leapfrog_steps=3, **options
    )
    return Temperature().compile(sampler)


def begin_anew(model, seed=5):
    """Throws the draws away, so that the next fit is the first one again, with the programs that there are."""
    model._state.context.draws = None
    model.seed_generator.state.assign(np.full(model.seed_generator.state.shape, seed, "uint32"))


@pytest.fixture(scope="module")
def fitted():
    keras.utils.set_random_seed(1)
    model = temperature()
    model.fit({"sensor": 18.0}, **QUIET)
    return model


def test_temperature(fitted):
    begin_anew(fitted)
    history = fitted.fit({"sensor": 18.0}, **QUIET)
    temp = fitted.posterior("temp")
    assert abs(temp.mean() - 17.4) < 0.15
    assert abs(temp.stddev() - 0.894427) < 0.1
    assert set(history.history) >= {"accept_rate", "step_size", "divergences", "max_rhat", "min_ess", "draws"}
    assert history.epoch == [0, 1, 2, 3]
    assert history.history["draws"] == [0, 300, 600, 900]
    assert history.history["max_rhat"][-1] < 1.05
    assert 0.5 < history.history["accept_rate"][-1] <= 1.0


def test_new_data_of_the_same_shape_needs_no_new_program(fitted):
    before = Temperature.runs
    fitted.fit({"sensor": 12.0}, **QUIET)
    # Once to check the data, once to find the latents, and not once to compile anything.
    assert Temperature.runs - before <= 2
    # The prior's N(15, 2) pulls 12 up to 12.6.
    assert abs(fitted.posterior("temp").mean() - 12.6) < 0.15


def test_a_second_fit_goes_on(fitted):
    begin_anew(fitted)
    fitted.fit({"sensor": 18.0}, **QUIET)
    first = fitted.draws.values["temp"].copy()
    history = fitted.fit({"sensor": 18.0}, **QUIET)
    assert fitted.draws.values["temp"].shape == (2, 900)
    np.testing.assert_array_equal(fitted.draws.values["temp"][:, :450], first)
    assert history.history["draws"] == [1200, 1500, 1800]  # no second warm-up


def test_blocks_make_no_difference(fitted):
    begin_anew(fitted)
    fitted.fit({"sensor": 18.0}, **QUIET)
    whole = fitted.draws.values["temp"]
    begin_anew(fitted)
    for _ in range(4):
        fitted.fit({"sensor": 18.0}, epochs=1, **QUIET)
    np.testing.assert_array_equal(fitted.draws.values["temp"], whole)


def test_saved_loaded_and_gone_on_with(fitted, tmp_path):
    begin_anew(fitted)
    fitted.fit({"sensor": 18.0}, epochs=2, **QUIET)
    fitted.save(tmp_path / "m.h5")
    fitted.fit({"sensor": 18.0}, epochs=2, **QUIET)
    again = kprob.load_model(tmp_path / "m.h5", custom_objects={"Temperature": Temperature})
    assert again.draws.num_draws == 150
    assert np.array_equal(again.posterior("temp").sample(20, seed=3), again.posterior("temp").sample(20, seed=3))
    again.fit({"sensor": 18.0}, epochs=2, **QUIET)
    np.testing.assert_array_equal(again.draws.values["temp"], fitted.draws.values["temp"])
    np.testing.assert_array_equal(again.draws.infos, fitted.draws.infos)


def test_early_stopping_and_logs(fitted, tmp_path):
    begin_anew(fitted)
    # Epochs of the warm-up bring no draws: patience begins with the first ones. No R-hat falls by 10.
    settled = keras.callbacks.EarlyStopping("max_rhat", mode="min", min_delta=10.0, patience=1)
    log = keras.callbacks.CSVLogger(str(tmp_path / "log.csv"))
    board = keras.callbacks.TensorBoard(str(tmp_path / "board"), write_graph=False)
    callbacks = [settled, log] + ([board] if keras.backend.backend() == "tensorflow" else [])
    fitted.sampler.num_warmup = 450  # of which the compiled programs know 150
    history = fitted.fit({"sensor": 18.0}, callbacks=callbacks, **QUIET)
    fitted.sampler.num_warmup = 150
    assert history.history["draws"] == [0, 0, 0, 300, 600]
    assert np.isinf(history.history["max_rhat"][:3]).all()
    rows = list(csv.DictReader((tmp_path / "log.csv").open()))
    assert [int(row["epoch"]) for row in rows] == history.epoch
    np.testing.assert_allclose([float(row["step_size"]) for row in rows], history.history["step_size"], rtol=1e-6)
    if len(callbacks) == 3:
        assert list((tmp_path / "board").rglob("events.*"))


def test_stopping_on_rhat(fitted):
    begin_anew(fitted)

    class Converged(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = logs["max_rhat"] < 1.05 and logs["min_ess"] > 30

    history = fitted.fit({"sensor": 18.0}, callbacks=[Converged()], **QUIET)
    assert history.history["max_rhat"][-1] < 1.05
    assert all(not value < 1.05 for value in history.history["max_rhat"][:-1])


def test_checkpoints_and_backups(fitted, tmp_path):
    class Interrupted(Exception):
        pass

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise Interrupted

    begin_anew(fitted)
    fitted.fit({"sensor": 18.0}, **QUIET)
    whole = fitted.draws.values["temp"]
    begin_anew(fitted)
    backup = {"backup_dir": str(tmp_path / "backup")}
    checkpoint = keras.callbacks.ModelCheckpoint(str(tmp_path / "best.h5"), "min_ess", mode="max", save_best_only=True)
    with pytest.raises(Interrupted):
        callbacks = [keras.callbacks.BackupAndRestore(**backup), checkpoint, Interrupt()]
        fitted.fit({"sensor": 18.0}, callbacks=callbacks, **QUIET)
    stored = kprob.load_model(tmp_path / "best.h5", custom_objects={"Temperature": Temperature})
    np.testing.assert_array_equal(stored.draws.values["temp"], whole[:, :150])
    begin_anew(fitted, seed=77)  # whatever is random comes from the backup
    fitted.fit({"sensor": 18.0}, callbacks=[keras.callbacks.BackupAndRestore(**backup)], **QUIET)
    np.testing.assert_array_equal(fitted.draws.values["temp"], whole)


def test_threads_and_sequence_agree(fitted):
    begin_anew(fitted)
    fitted.fit({"sensor": 18.0}, **QUIET)
    threads = fitted.draws.values["temp"]
    fitted.sampler.chain_method = "sequential"
    begin_anew(fitted)
    fitted.fit({"sensor": 18.0}, **QUIET)
    fitted.sampler.chain_method = "auto"
    np.testing.assert_array_equal(fitted.draws.values["temp"], threads)


def test_an_interrupted_run_keeps_what_was_drawn_and_goes_on(fitted):
    begin_anew(fitted)
    fitted.sampler.num_samples = 10**7
    threading.Timer(1.5, _thread.interrupt_main).start()  # as Ctrl-C does
    with pytest.raises(KeyboardInterrupt):
        fitted.fit({"sensor": 18.0}, **QUIET)
    fitted.sampler.num_samples = 450
    kept = fitted.draws.num_draws
    assert kept > 0 and abs(fitted.posterior("temp").mean() - 17.4) < 0.5
    fitted.fit({"sensor": 18.0}, epochs=2, **QUIET)
    resumed = fitted.draws.values["temp"]
    assert resumed.shape == (2, kept + 300)
    begin_anew(fitted)
    fitted.fit({"sensor": 18.0}, **QUIET)
    both = min(resumed.shape[1], 450)
    np.testing.assert_array_equal(resumed[:, :both], fitted.draws.values["temp"][:, :both])


class Normal(kprob.ProbabilisticModel):
    """Unknown mean and precision."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.gamma = layers.Gamma(concentration=1.0, rate=1.0)
        self.mu = layers.Normal(loc=0.0, scale=10000.0)
        self.x = layers.Normal()

    def generative(self):
        gamma, mu = self.gamma(), self.mu()
        with kprob.plate("data"):
            self.x(loc=mu, scale=gamma**-0.5)


@pytest.fixture(scope="module")
def normal():
    keras.utils.set_random_seed(2)
    x = np.random.RandomState(123).normal(5, 1, 100)
    model = Normal().compile(kprob.NUTS(num_warmup=200, num_samples=400, num_chains=2, block_size=200))
    model.fit({"x": x}, **QUIET)
    return model, x


def test_normal_and_gamma(normal):
    model, _ = normal
    found = model.diagnose().table
    assert abs(found["gamma"]["mean"] - 0.781173) < 5 * found["gamma"]["mcse_mean"]
    assert abs(found["gamma"]["sd"] - 0.109926) < 5 * found["gamma"]["mcse_sd"]
    assert abs(found["mu"]["mean"] - 5.027109) < 5 * found["mu"]["mcse_mean"]
    assert abs(found["mu"]["sd"] - 0.114280) < 5 * found["mu"]["mcse_sd"]


def test_predictions_have_draws_of_their_own(normal):
    model, _ = normal
    new = model.posterior_predictive("x", size=3).sample(800, seed=1)
    assert new.shape == (800, 3)
    # sd² = E 1/gamma + Var mu
    draws = model.draws.values
    assert abs(new.var() - (1 / draws["gamma"]).mean() - draws["mu"].var()) < 0.15
    # Elements of one draw share mu and gamma, which hardly vary: they are as good as independent.
    assert abs(np.corrcoef(new[:, 0], new[:, 1])[0, 1]) < 0.12


def test_log_likelihood(normal):
    model, x = normal
    found = model.log_likelihood({"x": x})
    gamma, mu = (model.draws.values[name].reshape(-1, 1) for name in ("gamma", "mu"))
    right = 0.5 * np.log(gamma / (2 * np.pi)) - 0.5 * gamma * (x - mu) ** 2
    np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-4)
    assert model.log_likelihood({"x": x[:7]}, num_samples=100).shape == (100, 7)


def test_no_valid_start_names_site_and_value():
    @kprob.probmodel
    def impossible():
        low = kprob.sample("low", tfd.Normal(0.0, 1.0))
        kprob.sample("x", tfd.Uniform(low, low + 1.0))

    model = impossible().compile(kprob.samplers.HMC(num_warmup=10, num_samples=10, num_chains=1))
    with pytest.raises(KprobError, match=r"(?s)No chain can start.*`low` = .*`x` is -inf.*init="):
        model.fit({"x": 50.0}, **QUIET)


def test_options_that_mean_nothing(fitted):
    with pytest.raises(KprobError, match="no use for `batch_size`"):
        fitted.fit({"sensor": 18.0}, batch_size=3, **QUIET)


def test_nothing_drawn_yet():
    with pytest.raises(KprobError, match="no draws yet"):
        temperature().posterior("temp").sample(3)
    with pytest.raises(KprobError, match="no draws yet"):
        temperature().diagnose()


class Schools(kprob.ProbabilisticModel):
    def __init__(self, centred, **kwargs):
        super().__init__(**kwargs)
        self.centred = centred
        self.mu = layers.Normal(loc=0.0, scale=5.0)
        self.tau = layers.HalfCauchy(scale=5.0)
        self.theta = layers.Normal()
        self.y = layers.Normal()

    def generative(self, sigma):
        mu, tau = self.mu(), self.tau()
        with kprob.plate("schools", 8):
            if self.centred:
                theta = self.theta(loc=mu, scale=tau)
            else:
                theta = mu + tau * self.theta(loc=0.0, scale=1.0)
            self.y(loc=kprob.deterministic("effect", theta), scale=sigma)


SCHOOLS = {"y": np.array([28.0, 8, -3, 7, -1, 1, 18, 12]), "sigma": np.array([15.0, 10, 16, 11, 9, 11, 10, 18])}


@pytest.mark.slow
def test_eight_schools_centred_and_not():
    runs = {}
    for centred in (True, False):
        keras.utils.set_random_seed(4)
        runs[centred] = Schools(centred).compile(kprob.NUTS(block_size=500))
        runs[centred].fit(SCHOOLS, **QUIET)
    centred, free = runs[True].diagnose(), runs[False].diagnose()
    assert centred.divergences > 20 and not centred.good
    assert centred.diverging_sites[0] == "tau" and "`tau`" in centred.advice and "non-centred" in centred.advice
    assert free.divergences < 10
    assert free.table["mu"]["ess_bulk"] > 1500
    assert abs(free.table["mu"]["mean"] - 4.40) < 0.3 and abs(free.table["mu"]["sd"] - 3.32) < 0.25
    assert abs(free.table["tau"]["mean"] - 3.60) < 0.3
    first = runs[False].posterior("effect", SCHOOLS).sample(4000, seed=1)[:, 0]
    assert abs(first.mean() - 6.23) < 0.4 and abs(first.std() - 5.59) < 0.4


@pytest.mark.slow
def test_funnel():
    @kprob.probmodel
    def funnel():
        log_scale = kprob.sample("log_scale", tfd.Normal(0.0, 3.0))
        with kprob.plate("elements", 9):
            unit = kprob.sample("unit", tfd.Normal(0.0, 1.0))
            x = kprob.deterministic("x", unit * keras.ops.exp(log_scale / 2))
        kprob.sample("seen", tfd.Normal(keras.ops.sum(0.0 * x), 1.0))

    keras.utils.set_random_seed(4)
    model = funnel().compile(kprob.NUTS(num_samples=2500, block_size=500))
    model.fit({"seen": 0.0}, **QUIET)
    found = model.diagnose()
    assert found.divergences < 5
    assert abs(found.table["log_scale"]["sd"] ** 2 - 9) < 0.6
    assert abs(found.table["log_scale"]["mean"]) < 0.3


# A process that is killed while it samples, started again until it is through: it goes on from its last backup.
# It tells of each block that it has behind it and waits for an answer: the kill finds it at work, on whatever machine.
KILLED = """
import sys
import keras
import numpy as np
from models.test_sampling import temperature

class Tell(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        print("block", flush=True)
        sys.stdin.readline()

keras.utils.set_random_seed(9)
model = temperature()
model.sampler.num_samples, model.sampler.block_size = 3000, 50
callbacks = [keras.callbacks.BackupAndRestore(sys.argv[1]), Tell()] if sys.argv[1] else []
model.fit({"sensor": 18.0}, verbose=0, callbacks=callbacks)
np.save(sys.argv[2], model.draws.positions)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kills", [3, 20])
def test_killed_and_resumed(kills, tmp_path):
    tests = Path(__file__).parents[1]
    program = tmp_path / "killed.py"
    program.write_text(KILLED)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tests), str(tests.parent)])}

    def start(folder, result):
        command = [sys.executable, str(program), folder, str(tmp_path / result)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(command, env=environment, text=True, **pipes)

    whole = start("", "whole.npy")
    for kill in range(kills):
        with start(str(tmp_path / "backup"), "resumed.npy") as process:
            for _ in range(1 + kill % 2):
                assert process.stdout.readline() == "block\n"
                print(file=process.stdin, flush=True)
            process.send_signal(signal.SIGKILL)
        assert not (tmp_path / "resumed.npy").exists()
    with start(str(tmp_path / "backup"), "resumed.npy") as process:
        process.stdin.close()
        blocks = len(process.stdout.readlines())
    assert whole.wait() == process.returncode == 0
    assert 0 < blocks < 63  # of 60 and the warm-up's three
    np.testing.assert_array_equal(np.load(tmp_path / "resumed.npy"), np.load(tmp_path / "whole.npy"))
