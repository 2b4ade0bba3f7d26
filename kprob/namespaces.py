"""What a namespace shows: its exported names alone, and for a name that lives elsewhere an error that says where."""

import importlib
from collections.abc import Callable, Iterable

from kprob.errors import did_you_mean

# Namespaces that have moved, and where they are now. Programs name them, and so do files that were saved before.
FORMER = {"kprob.mcmc": "kprob.samplers"}


def listing(names: Iterable[str]) -> Callable[[], list[str]]:
    """Returns a module's `__dir__`: its exported names, without the submodules that importing leaves on a package.

    Args:
        names: The module's `__all__`.
    """
    shown = sorted(names)
    return lambda: list(shown)


def elsewhere(module: str, names: Iterable[str], namespaces: Iterable[str]) -> Callable[[str], object]:
    """Returns a module's `__getattr__`, which says where a name lives that the module doesn't have.

    Args:
        module: Name of the module.
        names: What the module exports.
        namespaces: Those of its exports that export names of their own.
    """
    names, namespaces = list(names), list(namespaces)

    def missing(name: str) -> object:
        homes = [home for home in namespaces if name in importlib.import_module(f"{module}.{home}").__all__]
        moved = FORMER.get(f"{module}.{name}")
        places = [moved] if moved else [f"{module}.{home}.{name}" for home in homes]
        where = f" It lives in a namespace: write {' or '.join(places)}." if places else did_you_mean(name, names)
        raise AttributeError(f"module {module!r} has no attribute {name!r}.{where}")

    return missing
