"""What a model knows."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from kprob.inference import Context, Inference
from kprob.saving import Arguments


@dataclass(slots=True)
class ModelState:
    """What a model knows, as one attribute that Keras's tracking leaves alone.

    Attributes:
        arguments: What its constructor was called with.
        context: The model with its networks, and what belongs to them.
        inference: How it is learnt.
        compile_options: Options that `compile` got for Keras.
        phase: "train" or "test" while one of Keras's steps runs, whose input is a batch to be evaluated; else None.
        restored_epoch: The epochs that loaded weights have seen, for a fit that these are a backup of.
    """

    arguments: Arguments
    context: Context
    inference: Inference
    compile_options: dict[str, Any] = field(default_factory=dict)
    phase: str | None = None
    restored_epoch: int | None = None

    @contextmanager
    def in_phase(self, phase: str) -> Iterator[None]:
        """Marks that one of Keras's steps runs.

        Args:
            phase: "train" or "test".
        """
        previous, self.phase = self.phase, phase
        try:
            yield
        finally:
            self.phase = previous
