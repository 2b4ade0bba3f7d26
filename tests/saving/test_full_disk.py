"""A disk that can't take the file: an error that says so, and the old file whole."""

import contextlib
import errno
import os

import pytest
from saving.saved_models import VAE, assert_same, make_built, state

import kprob

resource = pytest.importorskip("resource", reason="limits of a process are POSIX's")
pytestmark = pytest.mark.once

ENDINGS = ("h5", "keras", "weights.h5")


@contextlib.contextmanager
def files_of(most):
    """Within the block no file of this process may grow beyond some bytes: the system refuses, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def save(model, path):
    (model.save_weights if path.name.endswith(".weights.h5") else model.save)(path)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("most", [0, 100, 8_000, 30_000])
def test_a_file_that_is_too_large(most, ending, tmp_path):
    path = tmp_path / f"m.{ending}"
    model, _, _ = make_built("vae")
    save(model, path)
    assert path.stat().st_size > 30_000
    before, old = state(model), path.read_bytes()
    for variable in model.weights:
        variable.assign(variable + 1.0)
    with (
        files_of(most),
        pytest.raises(OSError, match=rf"(?s)m.{ending} couldn't be saved: .*Fix: free some space") as error,
    ):
        save(model, path)
    assert error.value.errno == errno.EFBIG
    assert path.read_bytes() == old
    assert os.listdir(tmp_path) == [path.name]
    if ending == "weights.h5":
        model.load_weights(path)
    else:
        model = kprob.load_model(path, custom_objects={"VAE": VAE})
    assert_same(state(model), before)


def test_no_space_on_the_device(tmp_path, monkeypatch):
    from kprob.saving import archive

    def full(content, sealed):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(archive, "seal", full)
    model, _, _ = make_built("vae")
    (tmp_path / "m.h5").write_text("old")
    with pytest.raises(OSError, match="No space left on device.\n  Received: .* MB of free space") as error:
        model.save(tmp_path / "m.h5")
    assert error.value.errno == errno.ENOSPC
    assert (tmp_path / "m.h5").read_text() == "old"


def test_other_refusals_stay_what_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(PermissionError(errno.EACCES, "not yours")))
    model, _, _ = make_built("vae")
    with pytest.raises(PermissionError, match="not yours"):
        model.save(tmp_path / "m.h5")


def test_nothing_of_what_is_saved_is_written_by_hdf5(tmp_path, monkeypatch):
    # HDF5 crashes the process where a disk is full, however large its file: it gets no path to write to.
    import h5py

    usual, written = h5py.File.__init__, []

    def noted(self, name, mode="r", *args, **kwargs):
        if mode != "r" and isinstance(name, str | os.PathLike):
            written.append(name)
        usual(self, name, mode, *args, **kwargs)

    monkeypatch.setattr(h5py.File, "__init__", noted)
    monkeypatch.setattr("keras.src.saving.saving_lib.is_memory_sufficient", lambda model: False)
    model, _, _ = make_built("vae")
    for ending in ENDINGS:
        save(model, tmp_path / f"m.{ending}")
    assert not written
