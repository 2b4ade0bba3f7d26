"""Latents that a guide draws jointly, as one vector of unconstrained numbers."""

import keras

from kprob.guides.numbers.vectors import flatten, unflatten
from kprob.guides.running.guide_records import GuideLatent
from kprob.types import Tensor


class LatentBlock:
    """Latents whose unconstrained numbers stand side by side in one vector, or in one for each row.

    Args:
        latents: The latents, in the order in which they are drawn: all inside the data plate, or none.
    """

    def __init__(self, latents: list[GuideLatent]):
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

    def flat(self, name: str, value: Tensor) -> Tensor:
        """Returns a latent's numbers as a vector, or one for each row."""
        return flatten(value, self.latents[name].shape)

    def shaped(self, name: str, vector: Tensor) -> Tensor:
        """Returns a latent's vector in the shape of its value."""
        return unflatten(vector, self.latents[name].shape)

    def joined(self, values: dict[str, Tensor]) -> Tensor:
        """Returns all latents' numbers side by side.

        Args:
            values: Unconstrained values by latent.
        """
        vectors = [self.flat(name, values[name]) for name in self.latents]
        if self.in_rows:
            rows = max(int(vector.shape[0]) for vector in vectors)
            vectors = [keras.ops.broadcast_to(vector, (rows, vector.shape[1])) for vector in vectors]
        return keras.ops.concatenate(vectors, axis=-1)


def blocks_of(latents: dict[str, GuideLatent]) -> list[LatentBlock]:
    """Returns the latents outside the data plate as one block, and those inside it as another."""
    groups = [[latent for latent in latents.values() if latent.in_rows == inside] for inside in (False, True)]
    return [LatentBlock(group) for group in groups if group]
