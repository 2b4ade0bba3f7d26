"""Guides that draw latents jointly: those outside the data plate together, and those inside it row by row."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
from keras import ops

from kprob.guides.guide import Guide
from kprob.guides.numbers.latent_block import LatentBlock, blocks_of
from kprob.guides.running.guide_run import GuideRun
from kprob.types import Distribution, Tensor


@dataclass(slots=True)
class JointGuideRecords:
    """The plain records of a joint guide, beside those of every guide.

    Attributes:
        blocks: By latent, the block that it is in.
    """

    blocks: dict[str, LatentBlock] = field(default_factory=dict)


class JointGuide(Guide):
    """Base class of guides with a joint distribution of several latents.

    All latents outside the data plate are one vector of unconstrained numbers; those of one row inside the data plate are
    another, with parameters for each row. Latents outside and inside are independent of each other.

    To subclass, override `create_block(block, start)` and `conditional(block, name, run)`.

    Args:
        init: See `Guide`.
        encoder: A Keras layer from data to features, for latents inside the data plate (see `Guide`).
        inputs: Names of the data that the encoder takes.
        **kwargs: Keras's.
    """

    def __init__(
        self,
        init: str | dict[str, Any] = "median",
        encoder: keras.layers.Layer | None = None,
        inputs: str | Sequence[str] | None = None,
        **kwargs: Any,
    ):
        super().__init__(init, encoder, inputs, **kwargs)
        self._joint_records = JointGuideRecords()

    @property
    def blocks(self) -> dict[str, LatentBlock]:
        """By latent, the block of latents that are drawn jointly with it."""
        return self._joint_records.blocks

    def create(self, starts: dict[str, Tensor]) -> None:
        blocks = blocks_of(self.latents)
        self.blocks.update({name: block for block in blocks for name in block.latents})
        for block in blocks:
            self.create_block(block, block.joined(starts))

    def posterior(self, name: str, run: GuideRun) -> Distribution:
        return self.conditional(self.blocks[name], name, run)

    def create_block(self, block: LatentBlock, start: Tensor) -> None:
        """Makes the parameters of the latents of a block.

        Args:
            block: The block.
            start: Its vector to start from, with a first axis of rows inside the data plate.
        """
        raise NotImplementedError

    def conditional(self, block: LatentBlock, name: str, run: GuideRun) -> Distribution:
        """Returns the distribution of a latent's unconstrained values given those before it in its block."""
        raise NotImplementedError

    def transport(self, noise: dict[str, Tensor], run: GuideRun) -> tuple[dict[str, Tensor], Tensor]:
        values: dict[str, Tensor] = {}
        total = 0.0
        for block in {id(block): block for block in self.blocks.values()}.values():
            vector, log_det = self.carry(block, run, block.joined(noise))
            values |= {name: block.shaped(name, vector[..., span]) for name, span in block.slices.items()}
            total = total + ops.sum(log_det)
        return values, total

    def carry(self, block: LatentBlock, run: GuideRun, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the vector that standard normal noise becomes, and the log of the Jacobian's determinant.

        Args:
            block: The block.
            run: The run.
            noise: A vector, or one for each row inside the data plate.

        Raises:
            KprobError: The guide isn't an invertible function of as much noise as there are numbers.
        """
        _, log_det = super().transport({}, run)  # raises
        return noise, log_det
