"""Guides that draw latents jointly: those outside the data plate together, and those inside it row by row."""

from keras import ops

from kprob.guides.block import Block, blocks_of
from kprob.guides.guide import Guide
from kprob.guides.run import Run
from kprob.types import Tensor


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

    def create(self, starts: dict) -> None:
        found = blocks_of(self.latents)
        self.__dict__["blocks"] = {name: block for block in found for name in block.latents}
        for block in found:
            self.create_block(block, block.joined(starts))

    def posterior(self, name: str, run: Run):
        return self.conditional(self.blocks[name], name, run)

    def create_block(self, block: Block, start) -> None:
        """Makes the parameters of the latents of a block.

        Args:
            block: The block.
            start: Its vector to start from, with a first axis of rows inside the data plate.
        """
        raise NotImplementedError

    def conditional(self, block: Block, name: str, run: Run):
        """Returns the distribution of a latent's unconstrained values given those before it in its block."""
        raise NotImplementedError

    def transport(self, noise: dict, run: Run) -> tuple:
        found: dict = {}
        total = 0.0
        for block in {id(block): block for block in self.blocks.values()}.values():
            vector, log_det = self.carry(block, run, block.joined(noise))
            found |= {name: block.shaped(name, vector[..., part]) for name, part in block.slices.items()}
            total = total + ops.sum(log_det)
        return found, total

    def carry(self, block: Block, run: Run, noise: Tensor) -> tuple:
        """Returns the vector that standard normal noise becomes, and the log of the Jacobian's determinant.

        Args:
            block: The block.
            run: The run.
            noise: A vector, or one for each row inside the data plate.

        Raises:
            KprobError: The guide isn't an invertible function of as much noise as there are numbers.
        """
        return super().transport({}, run)
