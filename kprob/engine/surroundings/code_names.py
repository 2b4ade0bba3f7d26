"""Which names a function's code mentions, and which code is the user's own."""

import functools
import sys
from types import CodeType

# Packages whose functions no user rewrites while a model lives.
_LIBRARIES = frozenset(sys.stdlib_module_names) | {
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


def is_of_library(module_name: str | None) -> bool:
    """Whether a module isn't the user's own.

    Args:
        module_name: Its name.
    """
    top = (module_name or "").split(".")[0]
    return top != "__main__" and top in _LIBRARIES


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
