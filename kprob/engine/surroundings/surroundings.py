"""What networks read from Python, as it was when programs were compiled."""

from collections.abc import Iterable, Mapping
from typing import Any

from kprob.engine.surroundings.marks import Same, mark_of
from kprob.engine.surroundings.walk import Reading, walk_from


class Surroundings:
    """What networks read from Python beside their data and weights.

    Args:
        roots: The networks, and objects that they read, by name.
        own: The variables that programs read anew whenever they run.
        ignored: Names of what the networks change themselves, such as a counter of their runs.

    Attributes:
        labels: Names of the layers and variables that were met, by address of the variable.
    """

    def __init__(self, roots: Mapping[str, object], own: Iterable[Any], ignored: Iterable[str] = ()):
        walk = walk_from(roots, frozenset(id(variable) for variable in own))
        self.labels = walk.labels
        self._readings = [reading for reading in walk.readings.values() if reading.label not in set(ignored)]

    def changes(self) -> list[str]:
        """Returns the names of what isn't what it was."""
        return [reading.label for reading in self._readings if _differs(reading)]

    def ignore(self, labels: Iterable[str]) -> None:
        """Forgets some of it.

        Args:
            labels: Names.
        """
        self._readings = [reading for reading in self._readings if reading.label not in set(labels)]


# Of these, and of what is only ever compared by its identity, the same object is the same value.
_IMMUTABLE = (type(None), bool, int, float, complex, str, bytes)


def _differs(reading: Reading) -> bool:
    now = reading.read()
    if now is reading.value and (type(now) in _IMMUTABLE or type(reading.mark) is Same):
        return False
    return mark_of(now) != reading.mark
