"""A damaged file is an error, or the identical model; never another one."""

import shutil
import zipfile

import numpy as np
import pytest
from saving.saved_models import VAE, assert_same, build, make_built, state

import kprob
from kprob.errors import ArchiveError

FLIPS, CUTS = 200, 50


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with one model in the three formats, and the model's state."""
    folder = tmp_path_factory.mktemp("saved")
    model, _, _ = make_built("vae")
    model.save(folder / "m.h5")
    model.save(folder / "m.keras")
    model.save_weights(folder / "m.weights.h5")
    return folder, state(model)


def damaged(content, number, cut, seed=0):
    """Yields `number` copies of some bytes, each with one bit flipped or with its end cut off."""
    generator = np.random.default_rng(seed)
    for where in generator.integers(0, len(content), number):
        if cut:
            yield content[:where]
        else:
            changed = bytearray(content)
            changed[where] ^= 1 << generator.integers(8)
            yield bytes(changed)


@pytest.mark.parametrize(("number", "cut"), [(FLIPS, False), (CUTS, True)], ids=["flips", "cuts"])
def test_archive(number, cut, saved, tmp_path):
    content = (saved[0] / "m.h5").read_bytes()
    path = tmp_path / "m.h5"
    for i, changed in enumerate(damaged(content, number, cut)):
        path.write_bytes(changed)
        with pytest.raises(ArchiveError, match="m.h5 is damaged|m.h5 isn't a file that kprob saved"):
            kprob.saving.verify(path)
        if i % 20 == 0:  # `load_model` begins with `verify`
            with pytest.raises(ArchiveError, match="m.h5"):
                kprob.load_model(path)


def test_the_whole_header_counts(saved, tmp_path):
    content = (saved[0] / "m.h5").read_bytes()
    path = tmp_path / "m.h5"
    for bit in range(0, 512 * 8, 7):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        with pytest.raises(ArchiveError):
            kprob.saving.verify(path)


@pytest.mark.parametrize(("number", "cut"), [(FLIPS, False), (CUTS, True)], ids=["flips", "cuts"])
def test_keras_file(number, cut, saved, tmp_path):
    path = tmp_path / "m.keras"
    shutil.copy(saved[0] / "m.keras", path)
    whole = members(path)
    harmless = 0
    for changed in damaged(path.read_bytes(), number, cut):
        path.write_bytes(changed)
        try:
            kprob.saving.verify(path)
        except ArchiveError as error:
            assert "m.keras is damaged" in str(error)
        else:
            harmless += 1  # a date or a right of the zip's: what is loaded is the same to the last bit
            assert members(path) == whole
    assert harmless < number / 10


def members(path):
    """Returns what Keras reads of a `.keras` file."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in ("config.json", "model.weights.h5", "assets/history.json")}


@pytest.mark.parametrize(("number", "cut"), [(FLIPS, False), (CUTS, True)], ids=["flips", "cuts"])
def test_weights(number, cut, saved, tmp_path):
    folder, before = saved
    content = (folder / "m.weights.h5").read_bytes()
    path = tmp_path / "m.weights.h5"
    other, _, _ = make_built("vae")
    for changed in damaged(content, number, cut):
        path.write_bytes(changed)
        try:
            other.load_weights(path)
        except ArchiveError:
            continue
        assert_same(state(other), before)


def test_weights_without_a_seal_are_checked_variable_by_variable(saved, tmp_path):
    # Damage to the first bytes takes the seal away, and HDF5 itself has no checksum.
    folder, before = saved
    content = (folder / "m.weights.h5").read_bytes()[512:]
    path = tmp_path / "m.weights.h5"
    path.write_bytes(content)
    other, _, _ = make_built("vae")
    other.load_weights(path)
    assert_same(state(other), before)
    kernel = before["decoder.layers[0].kernel"].tobytes()
    assert content.count(kernel) == 1
    where = content.index(kernel)
    path.write_bytes(content[:where] + bytes([content[where] ^ 1]) + content[where + 1 :])
    with pytest.raises(ArchiveError, match=r"`decoder.layers\[0\].kernel` got values never saved"):
        other.load_weights(path)


def test_cut_in_the_header(saved, tmp_path):
    path = tmp_path / "m.h5"
    path.write_bytes((saved[0] / "m.h5").read_bytes()[:40])
    with pytest.raises(ArchiveError, match="the length and digest that its header lost"):
        kprob.load_model(path)


def test_empty_files(tmp_path):
    for name in ("m.h5", "m.keras"):
        (tmp_path / name).touch()
        with pytest.raises(ArchiveError, match="damaged"):
            kprob.load_model(tmp_path / name)
    (tmp_path / "m.weights.h5").touch()
    model, _, _ = make_built("vae")
    with pytest.raises(ArchiveError, match="The weights in m.weights.h5 can't be loaded into this model"):
        model.load_weights(tmp_path / "m.weights.h5")


def test_no_file(tmp_path):
    for name in ("m.h5", "m.keras"):
        with pytest.raises(FileNotFoundError, match=name):
            kprob.load_model(tmp_path / name)
    model, _, _ = make_built("vae")
    with pytest.raises(FileNotFoundError, match="m.weights.h5"):
        model.load_weights(tmp_path / "m.weights.h5")


def test_a_zip_of_something_else(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(ArchiveError, match="a file without config.json"):
        kprob.load_model(tmp_path / "m.keras")


def test_another_ending(tmp_path):
    (tmp_path / "m.pt").touch()
    with pytest.raises(ArchiveError, match="m.pt has no ending that says what it is"):
        kprob.load_model(tmp_path / "m.pt")


def test_a_file_of_weights_is_no_model(saved):
    with pytest.raises(ArchiveError, match="m.weights.h5 holds weights, and no model"):
        kprob.load_model(saved[0] / "m.weights.h5")


def test_weights_need_variables(saved):
    with pytest.raises(kprob.errors.KprobError, match="`load_weights` needs a VAE whose variables have been made"):
        VAE().load_weights(saved[0] / "m.weights.h5")


def test_weights_of_another_model(saved):
    other = VAE(latent_dim=4, hidden=5).compile(kprob.ELBO(), "adam")
    build(other, make_built("vae")[1])
    with pytest.raises(
        ArchiveError, match=r"saved: `decoder.layers\[0\].kernel` \(3, 5\).*\n.*in the model: .*\(4, 5\)"
    ):
        other.load_weights(saved[0] / "m.weights.h5")


def rewritten(source, path, name, content):
    """Writes a `.keras` file with one member of another, valid checksums and all."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for member in old.namelist():
            new.writestr(member, content if member == name else old.read(member))


def test_a_config_that_is_no_config(saved, tmp_path):
    rewritten(saved[0] / "m.keras", tmp_path / "m.keras", "config.json", b'{"class_name": ')
    with pytest.raises(ArchiveError, match="The config in m.keras is damaged"):
        kprob.load_model(tmp_path / "m.keras")


@pytest.mark.parametrize("content", [b"[1", b"[]", b'{"epoch": 3, "history": {}}'])
def test_a_history_that_is_no_history(content, saved, tmp_path):
    rewritten(saved[0] / "m.keras", tmp_path / "m.keras", "assets/history.json", content)
    with pytest.raises(ArchiveError, match="The saved history can't be read"):
        kprob.load_model(tmp_path / "m.keras")


def test_a_file_that_unpacks_to_a_hundred_times_its_size(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * 10_000_000)
    with pytest.raises(ArchiveError, match="unpacks to a hundred times its size"):
        kprob.load_model(tmp_path / "m.keras")
