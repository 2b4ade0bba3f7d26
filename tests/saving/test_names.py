"""Classes and functions that a file names are found among the program's own, and no code in a file ever runs."""

import io
import json
import sys
import types
import zipfile

import h5py
import keras
import pytest
from saving.saved_models import FUNCTIONS, LINE, VAE, Networks, build, make_built, slope

import kprob
from kprob.errors import ArchiveError
from kprob.saving.names import find_objects


def entry(name, module="train", **more):
    """Returns what Keras writes for an object of a class."""
    return {"class_name": name, "config": {}, "module": module, "registered_name": name} | more


def model_class(name, module, qualname=None):
    body = {"__module__": module, "__qualname__": qualname or name}
    return type(name, (kprob.ProbabilisticModel,), body)


@kprob.probmodel
def written_here():
    """A model whose name no other module has."""


def test_a_subclass_is_found_by_its_name():
    cls = model_class("OnlyOne", "somewhere")
    assert find_objects(entry("OnlyOne"), None, True, "m.h5") == {"OnlyOne": cls}
    assert find_objects(entry("OnlyOne", None), None, True, "m.h5") == {"OnlyOne": cls}
    assert find_objects({"a": [{"b": entry("OnlyOne")}]}, None, True, "m.h5") == {"OnlyOne": cls}


def test_a_class_that_was_defined_again():
    # As in a notebook: the old one lives on in models that were made of it.
    old, new = (model_class("Again", "notebook") for _ in range(2))
    assert find_objects(entry("Again", "notebook"), None, True, "m.h5")["Again"] is new
    assert old is not new


def test_a_class_that_its_module_shows(monkeypatch):
    shown, _ = model_class("Shown", "a_module"), model_class("Shown", "a_module", "function.<locals>.Shown")
    module = types.ModuleType("a_module")
    module.Shown = shown
    monkeypatch.setitem(sys.modules, "a_module", module)
    assert find_objects(entry("Shown", "a_module"), None, True, "m.h5")["Shown"] is shown


def test_two_classes_of_one_name():
    one, _ = model_class("Twice", "first"), model_class("Twice", "second")
    with pytest.raises(ArchiveError, match="m.h5 needs `Twice`, and there are several.\n.*`first.Twice`, `second"):
        find_objects(entry("Twice", "third"), None, True, "m.h5")
    assert find_objects(entry("Twice", "first"), None, True, "m.h5")["Twice"] is one
    assert find_objects(entry("Twice", "third"), {"Twice": one}, True, "m.h5")["Twice"] is one


def test_the_users_objects_go_first():
    class Mine(kprob.ProbabilisticModel):
        pass

    registered = entry("Normal", "kprob.guides.normal", registered_name="kprob.guides>Normal")
    found = find_objects(registered, {"Normal": Mine}, True, "m.h5")
    assert found["kprob.guides>Normal"] is Mine
    assert find_objects(registered, None, True, "m.h5")["kprob.guides>Normal"] is kprob.guides.Normal


def test_classes_that_have_moved_are_found_by_their_former_names():
    former = entry("NUTS", "kprob.mcmc.nuts", registered_name="kprob.mcmc>NUTS")
    assert find_objects(former, None, True, "m.h5") == {"kprob.mcmc>NUTS": kprob.NUTS}


def test_classes_of_kprob_are_never_guessed():
    # By its short name alone it might be a layer, a guide, or a program's own class.
    unknown = entry("Normal", "kprob.mcmc.normal", registered_name="kprob.mcmc>Normal")
    with pytest.raises(ArchiveError, match="Expected: `Normal`\n.*from kprob.mcmc.normal import Normal"):
        find_objects(unknown, None, True, "m.h5")


def test_registered_names_have_the_room_and_no_folder_below_it():
    name = keras.saving.get_registered_name
    assert name(kprob.layers.Normal) == "kprob.layers>Normal"
    assert name(kprob.samplers.NUTS) == "kprob.samplers>NUTS"
    body = {"__module__": "kprob.training.moved", "get_config": lambda self: {}}
    moved = kprob.saving.register_as("kprob.models")(type("MovedElsewhere", (), body))
    assert name(moved) == "kprob.models>MovedElsewhere"


def test_layers_and_guides_of_one_name_are_two():
    name = keras.saving.get_registered_name
    assert name(kprob.guides.Normal) != name(kprob.layers.Normal)


def test_a_probmodel_saved_from_a_script():
    # A script's module is `__main__` when it runs, and has a name when it is imported.
    name = f"__main__>{written_here.__name__}"
    function = {"class_name": "function", "config": name, "module": "__main__", "registered_name": name}
    assert find_objects(function, None, True, "m.h5")[name] is written_here.__wrapped__


def test_a_class_that_is_missing():
    with pytest.raises(ArchiveError) as raised:
        find_objects(entry("Missing", "train"), {"Mising": VAE}, True, "m.h5")
    text = str(raised.value)
    assert "m.h5 was saved with classes or functions that aren't here" in text
    assert "Did you mean 'Mising'?" in text
    assert 'from train import Missing, then pass what isn\'t found by itself: kprob.load_model("m.h5", ' in text
    assert 'custom_objects={"Missing": Missing})' in text
    with pytest.raises(ArchiveError, match="Fix: define `Missing`"):
        find_objects(entry("Missing", None), None, True, "m.h5")


def test_functions_are_passed_in(tmp_path):
    model, _, _ = make_built("functions")
    model.save(tmp_path / "m.h5")
    with pytest.raises(ArchiveError, match="Expected: `slope`, `slope_inference`\n.*from saving.saved_models import"):
        kprob.load_model(tmp_path / "m.h5")
    again = kprob.load_model(tmp_path / "m.h5", custom_objects=FUNCTIONS)
    assert again.generative is slope


def test_other_layers_are_passed_in(tmp_path):
    class Double(keras.layers.Layer):
        def call(self, x):
            return 2.0 * x

    model, data, _ = make_built("layers as arguments")
    model = Networks(Double(), {"first": keras.layers.Dense(4)}, (keras.layers.Dense(2), keras.layers.Dense(1)))
    build(model.compile(kprob.ELBO(), "adam"), LINE)
    model.save(tmp_path / "m.h5")
    with pytest.raises(ArchiveError, match="Expected: `Double`"):
        kprob.load_model(tmp_path / "m.h5")
    again = kprob.load_model(tmp_path / "m.h5", custom_objects={"Double": Double})
    assert isinstance(again.mean, Double)


@pytest.mark.parametrize("ending", ["h5", "keras"])
def test_safe_mode(ending, tmp_path):
    path = tmp_path / f"m.{ending}"
    run = tmp_path / "run"
    code = keras.layers.Lambda(lambda x: (open("RUN", "w").close(), x)[1], output_shape=(3,))
    code.function = eval(f"lambda x: (open({str(run)!r}, 'w').close(), x)[1]")
    model = Networks(keras.layers.Dense(1), {"first": code}, (keras.layers.Dense(2), keras.layers.Dense(1)))
    build(model.compile(kprob.ELBO(), "adam"), LINE)
    run.unlink()
    model.save(path)
    with pytest.raises(ArchiveError, match=rf"m.{ending} holds Python code \(a lambda\)"):
        kprob.load_model(path)
    assert not run.exists()
    kprob.load_model(path, safe_mode=False)
    assert run.exists()


@pytest.mark.parametrize(
    "crafted",
    [
        {"class_name": "Popen", "config": {"args": ["touch", "RUN"]}, "module": "subprocess"},
        {"class_name": "function", "config": "system", "module": "os", "registered_name": "system"},
        {"class_name": "function", "config": "get_file", "module": "keras.utils", "registered_name": "get_file"},
        {"class_name": "__lambda__", "config": {"value": ["4wAAAAA=", None, None]}, "module": None},
        {"class_name": "load_model", "config": {"filepath": "x"}, "module": "keras.saving", "registered_name": None},
    ],
    ids=lambda crafted: crafted["class_name"],
)
def test_a_crafted_config_runs_nothing(crafted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, _, _ = make_built("layers as arguments")
    forge(model, tmp_path / "m.h5", crafted)
    with pytest.raises(ArchiveError):
        kprob.load_model(tmp_path / "m.h5")
    assert not (tmp_path / "RUN").exists()


def forge(model, path, crafted):
    """Writes an archive with a valid seal, one of whose constructor arguments is `crafted`."""

    def write(file):
        plain = path.with_name("plain.keras")
        keras.Model.save(model, plain)
        with zipfile.ZipFile(plain) as parts, zipfile.ZipFile(file, "w") as forged:
            for part in parts.namelist():
                held = parts.read(part)
                if part == "config.json":
                    config = json.loads(held)
                    config["config"]["mean"] = crafted
                    held = json.dumps(config).encode()
                forged.writestr(part, held)

    kprob.saving.save_archive(path, write)


def test_a_crafted_archive_writes_no_other_files(tmp_path):
    model, _, _ = make_built("probmodel")
    for name, make in {
        "soft": lambda g: g.__setitem__("evil", h5py.SoftLink("/vars")),
        "external": lambda g: g.__setitem__("evil", h5py.ExternalLink("/etc/passwd", "/")),
        "float": lambda g: g.create_dataset("evil", data=[1.5]),
        "bomb": lambda g: g.create_dataset("evil", (1 << 30,), "uint8", chunks=(1 << 20,), compression="gzip"),
    }.items():
        model.save(tmp_path / "m.h5")
        content = (tmp_path / "m.h5").read_bytes()[512:]
        (tmp_path / "plain.h5").write_bytes(content)
        with h5py.File(tmp_path / "plain.h5", "r+") as file:
            make(file["kprob.archive"])
        kprob.saving.seal.seal(io.BytesIO((tmp_path / "plain.h5").read_bytes()), tmp_path / f"{name}.h5")
        with pytest.raises(ArchiveError, match=rf"{name}.h5 isn't (a file that kprob saved|loaded)[\s\S]*evil"):
            kprob.load_model(tmp_path / f"{name}.h5")
