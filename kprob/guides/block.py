"""Latents that a guide draws jointly, as one vector of unconstrained numbers."""

import math
from dataclasses import dataclass

import keras

from kprob.guides.parts import flattened, unflattened


@dataclass(frozen=True)
class Latent:
    """What a guide knows of a latent.

    Attributes:
        name: Its name.
        plates: Names and lengths of its plates, outermost first; the data plate's length is None.
        shape: Shape of its unconstrained numbers, without the axis of rows.
        event_ndims: How many of the last axes of its unconstrained numbers are the event.
        in_rows: Whether it is inside the data plate.
    """

    name: str
    plates: tuple[tuple[str, int | None], ...]
    shape: tuple[int, ...]
    event_ndims: int
    in_rows: bool

    @property
    def size(self) -> int:
        """How many numbers it has, in one row where it is inside the data plate."""
        return math.prod(self.shape)


class Block:
    """Latents whose unconstrained numbers stand side by side in one vector, or in one for each row.

    Args:
        latents: The latents, in the order in which they are drawn: all inside the data plate, or none.
    """

    def __init__(self, latents: list[Latent]):
        self.latents = {latent.name: latent for latent in latents}
        self.in_rows = latents[0].in_rows
        self.slices: dict[str, slice] = {}
        self.size = 0
        for latent in latents:
            self.slices[latent.name] = slice(self.size, self.size + latent.size)
            self.size += latent.size
        self.prefix = "row_" if self.in_rows else ""

    @property
    def last(self) -> str:
        """The latent that is drawn last."""
        return list(self.latents)[-1]

    def before(self, name: str) -> list[str]:
        """Returns the latents that are drawn before one."""
        order = list(self.latents)
        return order[: order.index(name)]

    def flat(self, name: str, value):
        """Returns a latent's numbers as a vector, or one for each row."""
        return flattened(value, self.latents[name].shape)

    def shaped(self, name: str, numbers):
        """Returns a latent's vector in the shape of its value."""
        return unflattened(numbers, self.latents[name].shape)

    def joined(self, values: dict):
        """Returns all latents' numbers side by side.

        Args:
            values: Unconstrained values by latent.
        """
        parts = [self.flat(name, values[name]) for name in self.latents]
        if self.in_rows:
            rows = max(int(part.shape[0]) for part in parts)
            parts = [keras.ops.broadcast_to(part, (rows, part.shape[1])) for part in parts]
        return keras.ops.concatenate(parts, axis=-1)


def blocks_of(latents: dict[str, Latent]) -> list[Block]:
    """Returns the latents outside the data plate as one block, and those inside it as another."""
    groups = [[latent for latent in latents.values() if latent.in_rows == inside] for inside in (False, True)]
    return [Block(group) for group in groups if group]
