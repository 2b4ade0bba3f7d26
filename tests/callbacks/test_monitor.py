"""What a fit writes for TensorBoard."""

import keras
import pytest

import kprob
from kprob import tfd
from kprob.errors import CompileError, KprobError
from kprob.training.callback_needs import needs_every_batch


@kprob.probmodel
def temperature():
    temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
    kprob.sample("sensor", tfd.Normal(temp, 1.0))


def read(folder):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = accumulator.EventAccumulator(str(folder), {"tensors": 0})
    found.Reload()
    make = pytest.importorskip("tensorboard.util.tensor_util").make_ndarray
    return {tag: [(e.step, float(make(e.tensor_proto))) for e in found.Tensors(tag)] for tag in found.Tags()["tensors"]}


def test_elbo_kl_and_k_hat_are_written(tmp_path):
    keras.utils.set_random_seed(0)
    model = temperature().compile(kprob.ELBO(), keras.optimizers.Adam(0.1))
    monitor = kprob.callbacks.Monitor(tmp_path, data={"sensor": 18.0}, every=100)
    assert not needs_every_batch([monitor])
    history = model.fit({"sensor": 18.0}, epochs=300, callbacks=[monitor], verbose=0, check=False).history
    found = read(tmp_path)
    assert [value for _, value in found["elbo"]] == pytest.approx(history["elbo"], rel=1e-6)
    assert [step for step, _ in found["kl"]] == list(range(300)) and {"loss", "log_likelihood"} <= set(found)
    assert [step for step, _ in found["k_hat"]] == [99, 199, 299] == list(monitor.k_hats)
    assert found["k_hat"][-1][1] < 0.7


def test_without_data_there_is_no_k_hat(tmp_path):
    model = temperature().compile(kprob.ELBO(), "adam")
    model.fit({"sensor": 18.0}, epochs=10, callbacks=[kprob.callbacks.Monitor(tmp_path)], verbose=0)
    assert "k_hat" not in read(tmp_path)


def test_wrong_use_is_said(tmp_path, monkeypatch):
    with pytest.raises(CompileError, match="every"):
        kprob.callbacks.Monitor(tmp_path, every=0)
    monkeypatch.setitem(__import__("sys").modules, "tensorboard", None)
    model = temperature().compile(kprob.ELBO(), "adam")
    with pytest.raises(KprobError, match="pip install tensorflow tensorboard"):
        model.fit({"sensor": 18.0}, epochs=1, callbacks=[kprob.callbacks.Monitor(tmp_path)], verbose=0)
