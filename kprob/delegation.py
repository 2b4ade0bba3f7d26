"""Methods that hand on to a function, which has the docstring."""

import inspect
import re
from collections.abc import Callable
from typing import TypeVar

Method = TypeVar("Method", bound=Callable)


def documented_by(service: Callable) -> Callable[[Method], Method]:
    """Gives a method the docstring of the function that it hands on to.

    Arguments that the method doesn't take, such as what it hands on of its own, are left out.

    Args:
        service: The function.
    """

    def documented(method: Method) -> Method:
        taken = set(inspect.signature(method).parameters)
        lines, in_arguments, kept = [], False, True
        for line in (inspect.getdoc(service) or "").splitlines():
            entry = re.match(r"    \*{0,2}(\w+):", line)
            if line.rstrip() == "Args:":
                in_arguments = True
            elif line.strip() and not line.startswith(" "):
                in_arguments = False
            if in_arguments and entry:
                kept = entry[1] in taken
            elif not in_arguments or not line.startswith("     "):
                kept = True
            if kept:
                lines.append(line)
        method.__doc__ = "\n".join(lines)
        return method

    return documented
