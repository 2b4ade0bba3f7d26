"""Which names a function's code mentions, and which code is the user's own."""

import dis
import functools
import sys
from types import CodeType

# Packages whose functions no user rewrites while a model lives.
_PACKAGES = {
    "arviz",
    "jax",
    "jaxlib",
    "keras",
    "kprob",
    "matplotlib",
    "numpy",
    "pandas",
    "scipy",
    "sklearn",
    "tensorflow",
    "tensorflow_probability",
    "tf_keras",
    "torch",
}


def is_of_package(module_name: str | None) -> bool:
    """Whether a module is of a package that models are written with.

    Args:
        module_name: Its name.
    """
    return (module_name or "").split(".")[0] in _PACKAGES


def is_of_library(module_name: str | None) -> bool:
    """Whether a module isn't the user's own, but Python's or of such a package.

    Args:
        module_name: Its name.
    """
    top = (module_name or "").split(".")[0]
    return is_of_package(module_name) or (top != "__main__" and top in sys.stdlib_module_names)


@functools.lru_cache(maxsize=4096)
def names_of(code: CodeType) -> frozenset[str]:
    """Returns the names that code mentions: globals, attributes, and texts that may be names of attributes.

    Args:
        code: The code of a function.
    """
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= names_of(constant)
        elif isinstance(constant, str) and constant.isidentifier():
            names.add(constant)
    return frozenset(names)


@functools.lru_cache(maxsize=4096)
def globals_of(code: CodeType) -> frozenset[str]:
    """Returns the names that code looks up among the globals of its module, or Python's own.

    Args:
        code: The code of a function.
    """
    found = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= globals_of(constant)
    return frozenset(found)
