"""kprob keeps the rules of `architecture.py`, and each rule catches a small wrong package."""

import configparser
import importlib
import sys
from pathlib import Path

import pytest
from architecture import (
    RULES,
    defines_all,
    imports_at_the_top,
    inits_only_export,
    no_cycles,
    no_hidden_state,
    one_door,
    order_of_imports,
    read_package,
    sizes,
    unique_class_names,
)

pytestmark = pytest.mark.once

KPROB = Path(__file__).resolve().parents[1] / "kprob"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_kprob_keeps_the_rule(rule):
    modules = read_package(KPROB)
    assert modules, f"no modules below {KPROB}"
    complaints = rule(modules)
    assert not complaints, rule.__doc__ + "\n" + "\n".join(complaints)


def test_every_exported_name_exists():
    importlib.import_module("kprob")
    missing = []
    for name, module in read_package(KPROB).items():
        # The other backend's half isn't loaded, and needn't be loadable, here.
        if not defines_all(module) or (module.part == "backend" and name not in sys.modules):
            continue
        loaded = importlib.import_module(name)
        exported = list(loaded.__all__)
        missing += [f"{name}.{e}: in __all__, not there" for e in exported if not hasattr(loaded, e)]
        missing += [f"{name}.{e}: twice in __all__" for e in set(exported) if exported.count(e) > 1]
    assert not missing, "\n".join(missing)


def write_package(folder, files):
    """Writes a package called kprob, with an empty `__init__` wherever none is given."""
    for name, text in {"__init__.py": "", **files}.items():
        path = folder / "kprob" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        for parent in path.relative_to(folder).parents:
            if parent != Path("."):
                (folder / parent / "__init__.py").touch()
    return read_package(folder / "kprob")


# Each a package that breaks one rule: the rule, the files, what the complaint must say.
WRONG = {
    "up": (
        order_of_imports,
        {"errors.py": "from kprob.models import x", "models/__init__.py": ""},
        "kprob/errors.py:1: `errors` imports `kprob.models`, a part above it",
    ),
    "sibling": (
        order_of_imports,
        {"objectives/nuts.py": "from ..layers import a", "layers/a.py": ""},
        "`objectives` imports `kprob.layers.a`, its sibling",
    ),
    "root": (order_of_imports, {"models/m.py": "import kprob"}, "from `kprob` itself"),
    "root's name": (order_of_imports, {"models/m.py": "from kprob import tfd"}, "from `kprob` its"),
    "unknown part": (order_of_imports, {"misc.py": ""}, "`misc` is no part of the order"),
    "hidden up": (
        order_of_imports,
        {"errors.py": "def f():\n    import kprob.models.m", "models/m.py": ""},
        "errors.py:2: `errors` imports `kprob.models.m`",
    ),
    "circle": (
        no_cycles,
        {"effects/a.py": "from kprob.effects import b", "effects/b.py": "from . import a"},
        "A circle: kprob.effects.[ab] is imported by",
    ),
    "circle by package": (
        no_cycles,
        {"effects/__init__.py": "from .a import f", "effects/a.py": "from . import f"},
        "A circle: ",
    ),
    "tensorflow": (
        one_door,
        {"layers/a.py": "import tensorflow.math"},
        "`tensorflow.math`: only `kprob/backend` may",
    ),
    "jax, late": (
        one_door,
        {"layers/a.py": "def f():\n    from jax import numpy"},
        "a.py:2 imports `jax`",
    ),
    "by name": (
        one_door,
        {"layers/a.py": 'm = importlib.import_module("tensorflow_probability")'},
        "only `kprob/backend` may",
    ),
    "matplotlib": (
        one_door,
        {"models/a.py": "from matplotlib import pyplot"},
        "only `kprob/plots` may",
    ),
    "in a function": (
        imports_at_the_top,
        {"models/a.py": "def f():\n    from kprob import errors", "errors.py": ""},
        "a.py:2 imports `kprob.errors` inside function f",
    ),
    "for types": (
        imports_at_the_top,
        {"layers/a.py": "if TYPE_CHECKING:\n    import kprob.errors"},
        "inside TYPE_CHECKING",
    ),
    "long file": (sizes, {"errors.py": "x = 1\n" * 401}, "errors.py:1 has 401 lines"),
    "long function": (sizes, {"errors.py": "def f():\n" + "    x = 1\n" * 60}, "`f` has 61 lines"),
    "code in init": (inits_only_export, {"layers/__init__.py": "def f(): pass"}, "defines `f`"),
    "a key of __dict__": (
        no_hidden_state,
        {"models/m.py": 'def f(model):\n    return model.__dict__["_draws"]'},
        "m.py:2: `model.__dict__` hides state",
    ),
    "a key of vars": (
        no_hidden_state,
        {"models/m.py": 'def f(model):\n    return vars(model).get("_draws")'},
        "m.py:2: `vars.model..get` hides state",
    ),
    "a name twice": (
        unique_class_names,
        {"layers/a.py": "class Run:\n    x = 1", "layers/b.py": "class Run:\n    x = 1"},
        "`Run` stands in kprob/layers/a.py:1 and in kprob/layers/b.py:1",
    ),
    "a private name twice": (
        unique_class_names,
        {"layers/a.py": "class _Run:\n    x = 1", "guides/b.py": "class _Run:\n    x = 1"},
        "`_Run` stands in",
    ),
    "no __all__": (
        inits_only_export,
        {"layers/__init__.py": "from .a import f", "layers/a.py": ""},
        "Add `__all__`",
    ),
}


@pytest.mark.parametrize(("rule", "files", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_package_is_complained_about(rule, files, message, tmp_path):
    complaints = rule(write_package(tmp_path, files))
    assert len(complaints) == 1, complaints
    with pytest.raises(ValueError, match=message):
        raise ValueError(complaints[0])


def test_no_part_is_excused_from_types():
    config = configparser.ConfigParser()
    config.read(KPROB.parent / "setup.cfg")
    strict = config["mypy-kprob.*"]
    excused = [name for name in config.sections() if name.startswith("mypy") and "disable_error_code" in config[name]]
    assert not excused and strict["disallow_untyped_defs"] == "True"


def test_a_right_package_is_not(tmp_path):
    modules = write_package(
        tmp_path,
        {
            "__init__.py": "from . import layers, plots\n__all__ = ['layers', 'plots']",
            "errors.py": '"""Long."""\ndef f():\n    """' + "word\n" * 70 + '"""\n    return 1\n',
            "backend/tf.py": "import tensorflow as tf\nfrom kprob import errors",
            "effects/__init__.py": "from kprob.effects.a import f\n__all__ = ['f']",
            "effects/a.py": "from kprob.effects import b\nfrom ..backend import tf",
            "effects/b.py": "import kprob.errors",
            "layers/__init__.py": "from .normal import Normal\n__all__ = ['Normal']",
            "layers/normal.py": "from kprob.effects import f\ndef g():\n    import scipy",
            "plots/p.py": "from matplotlib import pyplot\nfrom kprob import layers",
        },
    )
    assert {rule.__name__: rule(modules) for rule in RULES} == {rule.__name__: [] for rule in RULES}
