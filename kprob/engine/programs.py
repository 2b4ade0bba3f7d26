"""A model's compiled programs, by what they do."""

from collections.abc import Callable, Hashable
from typing import Any

from kprob.backend import compile_function


class Programs:
    """Keeps what is compiled for a model: it is made when it is first asked for, and found again after that.

    A guide may do one thing while it is trained and another one afterwards, so that programs are of one phase of it.

    Args:
        variables: Returns the variables that the programs read.
        phase: Returns the guide's phase.
        eagerly: Returns whether Python decides what runs, so that nothing is compiled.
        refresh: Called before a program is looked up: it clears them all where what they have in them is no more so.
    """

    def __init__(
        self,
        variables: Callable[[], list],
        phase: Callable[[], str | None],
        eagerly: Callable[[], bool],
        refresh: Callable[[], object] = lambda: None,
    ):
        self.entries: dict[tuple, Any] = {}
        self._variables, self._phase, self._eagerly, self._refresh = variables, phase, eagerly, refresh

    def cached(self, key: tuple[Hashable, ...], make: Callable[[], Any]) -> Any:
        """Returns what `make()` made when it was first asked for, for the guide as it is now.

        Args:
            key: What tells it from the model's other programs.
            make: Makes it.
        """
        self._refresh()
        key = (*key, self._phase())
        if key not in self.entries:
            self.entries[key] = make()
        return self.entries[key]

    def compiled(self, key: tuple[Hashable, ...], program: Callable) -> Callable:
        """Returns a program compiled, or as it is where Python decides what runs.

        Args:
            key: What tells it from the model's other programs: two with one key must do the same.
            program: A function of tensors, which may read the model's variables.
        """
        if self._eagerly():
            return program
        return self.cached(key, lambda: compile_function(program, self._variables))

    def clear(self) -> None:
        """Forgets all programs."""
        self.entries.clear()
