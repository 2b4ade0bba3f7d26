"""Small files that would fill the memory are refused by their sizes, before anything in them is unpacked."""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest
from saving.saved_models import make_built

import kprob
from kprob.errors import ArchiveError
from kprob.saving.archive import CONFIG, GROUP, WEIGHTS
from kprob.saving.plain_content import MAX_DEPTH, parse_json, read_arrays
from kprob.saving.seal import seal

pytestmark = pytest.mark.once

DEEP = b"[" * 100_000 + b"]" * 100_000
FILLS = "isn't loaded: it could fill the memory"
HUGE = 1 << 40


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with one model in the three formats."""
    folder = tmp_path_factory.mktemp("saved")
    model, _, _ = make_built("vae")
    model.save(folder / "m.h5")
    model.save(folder / "m.keras")
    model.save_weights(folder / "m.weights.h5")
    return folder


def changed(source, path, change):
    """Writes a file with a valid seal, whose HDF5 was changed."""
    content = io.BytesIO(source.read_bytes()[512:])
    with h5py.File(content, "r+") as file:
        change(file)
    seal(content, path)


def replace(file, name, *args, **kwargs):
    del file[name]
    file.create_dataset(name, *args, **kwargs)


def with_config(file, content):
    replace(file[GROUP], CONFIG, data=np.frombuffer(content, "uint8"))


def first_dataset(file):
    """Returns the path of a weight."""
    found = []
    file.visititems(
        lambda name, part: found.append(name) if isinstance(part, h5py.Dataset) and part.ndim == 2 else None
    )
    return next(name for name in found if not name.startswith(GROUP))


def bomb_of_a_chunk(file):
    # A short array that lies in one chunk of a gigabyte, packed.
    name = first_dataset(file)
    replace(file, name, shape=(4,), maxshape=(None,), dtype="float32", chunks=(1 << 28,), compression="gzip")


def never_written(file):
    replace(file, first_dataset(file), shape=(HUGE,), dtype="uint8")


def one_chunk_many_times(file):
    replace(file, first_dataset(file), shape=(HUGE,), dtype="uint8", chunks=(1024,))


def one_array_in_many_places(file):
    file["large"] = np.zeros(100_000, "uint8")
    for i in range(100):
        file[f"again{i}"] = file["large"]


def a_group_in_itself(file):
    file["circle"] = file["/"]


def a_link(file):
    file["elsewhere"] = h5py.ExternalLink("/etc/passwd", "/")


def another_file(file):
    name = first_dataset(file)
    replace(file, name, shape=(100,), dtype="uint8", external=[("/dev/zero", 0, 100)])


def texts(file):
    replace(file, first_dataset(file), data=["a"] * 10, dtype=h5py.string_dtype())


def attribute_of_texts(file):
    file.attrs["dtype"] = ["bfloat16"] * 100


CHANGES = [
    *(bomb_of_a_chunk, never_written, one_chunk_many_times, one_array_in_many_places),
    *(a_group_in_itself, a_link, another_file, texts, attribute_of_texts),
]


@pytest.mark.parametrize("change", CHANGES)
def test_weights(change, saved, tmp_path):
    model, _, _ = make_built("vae")
    changed(saved / "m.h5", tmp_path / "m.h5", change)
    with pytest.raises(ArchiveError, match=f"m.h5 {FILLS}"):
        kprob.load_model(tmp_path / "m.h5")
    changed(saved / "m.weights.h5", tmp_path / "m.weights.h5", change)
    with pytest.raises(ArchiveError, match=f"m.weights.h5 {FILLS}"):
        model.load_weights(tmp_path / "m.weights.h5")
    # Without a seal too, as Keras writes it.
    (tmp_path / "plain.weights.h5").write_bytes((tmp_path / "m.weights.h5").read_bytes()[512:])
    with pytest.raises(ArchiveError, match=f"plain.weights.h5 {FILLS}"):
        model.load_weights(tmp_path / "plain.weights.h5")


@pytest.mark.parametrize("stored", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_weights_in_a_keras_file(stored, saved, tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(saved / "m.keras") as old:
        content = io.BytesIO(old.read(WEIGHTS))
        with h5py.File(content, "r+") as file:
            never_written(file)
        with zipfile.ZipFile(tmp_path / "m.keras", "w", stored) as new:
            for name in old.namelist():
                new.writestr(name, content.getvalue() if name == WEIGHTS else old.read(name))
    with pytest.raises(ArchiveError, match=f"m.keras {FILLS}"):
        kprob.load_model(tmp_path / "m.keras")
    model, _, _ = make_built("vae")
    with pytest.raises(ArchiveError, match=f"m.keras {FILLS}"):
        model.load_weights(tmp_path / "m.keras")


def test_packed_again_by_hand_is_fine(saved, tmp_path):
    with (
        zipfile.ZipFile(saved / "m.keras") as old,
        zipfile.ZipFile(tmp_path / "m.keras", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    kprob.saving.verify(tmp_path / "m.keras")


@pytest.mark.parametrize("content", [DEEP, b'{"a":' * 5000 + b"1" + b"}" * 5000, b'{"class_name": "' + b"[" * 10])
def test_a_deep_config(content, saved, tmp_path):
    changed(saved / "m.h5", tmp_path / "m.h5", lambda file: with_config(file, content))
    with pytest.raises(ArchiveError, match="The config in m.h5 is damaged"):
        kprob.load_model(tmp_path / "m.h5")
    with zipfile.ZipFile(saved / "m.keras") as old, zipfile.ZipFile(tmp_path / "m.keras", "w") as new:
        for name in old.namelist():
            new.writestr(name, content if name == CONFIG else old.read(name))
    with pytest.raises(ArchiveError, match="The config in m.keras is damaged"):
        kprob.load_model(tmp_path / "m.keras")


def test_a_deep_history_and_a_deep_record(saved, tmp_path):
    def history(file):
        replace(file[GROUP], "assets/history.json", data=np.frombuffer(DEEP, "uint8"))

    def record(file):
        replace(file, "vars/record", data=np.frombuffer(DEEP, "uint8"))

    for change, words in (
        (history, "The saved history can't be read"),
        (record, "The record of a saved model can't be read"),
    ):
        path = tmp_path / f"{change.__name__}.h5"
        changed(saved / "m.h5", path, change)
        with pytest.raises(ArchiveError, match=words):
            kprob.load_model(path)


def test_depth_is_that_of_brackets_outside_texts():
    deepest = json.dumps({"a": "[" * 1000, 'b"': ["{\\" * 500]})
    assert parse_json(deepest) == json.loads(deepest)
    nested = [1] * 1000
    for _ in range(MAX_DEPTH - 1):
        nested = [nested]
    assert parse_json(json.dumps(nested)) == nested
    with pytest.raises(ValueError, match=f"more than {MAX_DEPTH} deep"):
        parse_json(json.dumps([nested]))
    with pytest.raises(ValueError):  # a text without an end is searched once, not once from each of its marks
        parse_json('"' + '\\"[' * 100_000)


def npz(*members, compression=zipfile.ZIP_STORED):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return content.getvalue()


def npy(array, claimed=None):
    content = io.BytesIO()
    if claimed is None:
        np.save(content, array, allow_pickle=True)
        return content.getvalue()
    np.lib.format.write_array_header_1_0(content, {"descr": "<f4", "fortran_order": False, "shape": claimed})
    return content.getvalue() + array.tobytes()


BOMBS = {
    "claims more than it has": npz(("positions.npy", npy(np.zeros(3, "float32"), (HUGE, 2)))),
    "packed": npz(("positions.npy", npy(np.zeros(1_000_000, "float32"))), compression=zipfile.ZIP_DEFLATED),
    "Python's objects": npz(("positions.npy", npy(np.array([None, {}], dtype=object)))),
    "no array": npz(("positions.npy", b"hello")),
    "a version to come": npz(("positions.npy", npy(np.zeros(3)).replace(b"NUMPY\x01", b"NUMPY\x09"))),
    "no archive": b"hello",
}


@pytest.mark.parametrize("name", BOMBS)
def test_draws(name, saved, tmp_path):
    with pytest.raises((ValueError, zipfile.BadZipFile)):
        read_arrays(BOMBS[name])
    changed(
        saved / "m.h5",
        tmp_path / "m.h5",
        lambda f: f.create_dataset("vars/draws", data=np.frombuffer(BOMBS[name], "uint8")),
    )
    with pytest.raises(ArchiveError, match="m.h5"):
        kprob.load_model(tmp_path / "m.h5")


def test_draws_that_are_right():
    arrays = {
        "a/b": np.arange(6.0).reshape(2, 3),
        "c": np.asfortranarray(np.eye(3, dtype="float32")),
        "d": np.zeros((0, 2)),
    }
    content = io.BytesIO()
    np.savez(content, **arrays)
    found = read_arrays(content.getvalue())
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype and found[name].shape == array.shape


def test_what_can_t_be_loaded_isn_t_saved(tmp_path):
    nested = 0
    for _ in range(MAX_DEPTH):
        nested = [nested]

    class Deep(kprob.ProbabilisticModel):
        def __init__(self, nested, **kwargs):
            super().__init__(**kwargs)
            self.z = kprob.layers.Normal()

        def generative(self):
            self.z()

    for ending in ("h5", "keras"):
        with pytest.warns(UserWarning, match="not yet been built"):
            with pytest.raises(ArchiveError, match="its config couldn't be read again"):
                Deep(nested).save(tmp_path / f"m.{ending}")
