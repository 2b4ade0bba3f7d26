"""Full rank: one normal over all latents, with every correlation.

u = μ + L ε with L lower triangular. Given the noise of the latents before it, ε_<, a latent's own numbers are normal:

    u_k | u_<k  ~  N(μ_k + L_k< ε_<,  L_kk L_kkᵀ),      ε_k = L_kk⁻¹ (u_k − μ_k − L_k< ε_<),

so that each latent is a site of its own, and their log-densities sum to the joint one.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kprob.distributions import get_constraint
from kprob.guides.numbers.conditionals import ConditionalNormal
from kprob.guides.numbers.joint_guide import JointGuide
from kprob.guides.numbers.latent_block import LatentBlock
from kprob.guides.numbers.vectors import matvec
from kprob.guides.running.guide_run import GuideRun
from kprob.options import check_number
from kprob.saving import register
from kprob.types import Tensor


@register
class MultivariateNormal(JointGuide):
    """One normal with a full covariance matrix over the unconstrained values of all latents.

    It finds how latents depend on each other, at the price of D (D + 1) / 2 numbers for D latent numbers: use
    `LowRankMultivariateNormal` for thousands. Latents inside the data plate have a normal of their own for each row,
    over all numbers of that row, independent of other rows and of what is outside the plate (compare `Structured`).

    Args:
        init_scale: Standard deviation, in unconstrained space, to start from.
        init: See `Guide`.
        encoder: A Keras layer from data to features, for latents inside the data plate (see `Guide`).
        inputs: Names of the data that the encoder takes.
        name: Name of the layer.

    Example:
        ```python
        import kprob
        from kprob import tfd

        @kprob.probmodel
        def line(x):
            slope = kprob.sample("slope", tfd.Normal(0.0, 1.0))
            level = kprob.sample("level", tfd.Normal(0.0, 1.0))
            with kprob.plate("data"):
                kprob.sample("y", tfd.Normal(level + slope * x, 0.1))

        model = line(inference=kprob.guides.MultivariateNormal()).compile(kprob.ELBO(), "adam")
        model.fit({"x": [1.0, 2.0, 3.0], "y": [1.1, 1.9, 3.2]}, epochs=1, verbose=0)
        assert set(model.posterior().sample(5)) == {"slope", "level"}
        ```

    Reference:
        Kucukelbir, Tran, Ranganath, Gelman and Blei (2017), "Automatic differentiation variational inference".
    """

    def __init__(
        self,
        init_scale: float = 0.1,
        init: str | dict[str, Any] = "median",
        encoder: keras.layers.Layer | None = None,
        inputs: str | Sequence[str] | None = None,
        **kwargs: Any,
    ):
        super().__init__(init, encoder, inputs, **kwargs)
        check_number("init_scale", init_scale, 0.0)
        self.init_scale = init_scale

    def create_block(self, block: LatentBlock, start: Tensor) -> None:
        key, inside = block.prefix, block.in_rows
        raw = get_constraint("positive").inverse(ops.full_like(start, self.init_scale))
        self.add_parameter(f"{key}loc", start, inside)
        self.add_parameter(f"{key}scale", raw, inside)
        if block.size > 1:
            entries = block.size * (block.size - 1) // 2
            self.add_parameter(f"{key}factor", ops.zeros((*start.shape[:-1], entries)), inside)

    def conditional(self, block: LatentBlock, name: str, run: GuideRun) -> ConditionalNormal:
        loc, tril = self._loc_and_tril(block, run)
        return normal_given_before(block, name, run, loc, tril, guide=id(self))

    def carry(self, block: LatentBlock, run: GuideRun, noise: Tensor) -> tuple[Tensor, Tensor]:
        loc, tril = self._loc_and_tril(block, run)
        log_det = ops.sum(ops.log(ops.diagonal(tril, axis1=-2, axis2=-1)), axis=-1)
        return loc + matvec(tril, noise), log_det

    def marginal(self, name: str, run: GuideRun) -> tuple[Tensor, Tensor]:
        block = self.blocks[name]
        return marginal_of(block, name, *self._loc_and_tril(block, run))

    def get_config(self) -> dict:
        return {**super().get_config(), "init_scale": self.init_scale}

    def _loc_and_tril(self, block: LatentBlock, run: GuideRun) -> tuple[Tensor, Tensor]:
        def tril() -> Tensor:
            scale = get_constraint("positive").forward(self.parameter(f"{block.prefix}scale", run))
            if block.size == 1:
                return scale[..., None]
            factor = self.parameter(f"{block.prefix}factor", run)
            return scale[..., None] * unit_triangular(factor, block.size)

        loc = self.parameter(f"{block.prefix}loc", run)
        return loc, run.once((id(self), block.prefix, "tril"), tril)


def normal_given_before(
    block: LatentBlock, name: str, run: GuideRun, loc: Tensor, tril: Tensor, guide: int
) -> ConditionalNormal:
    """Returns the distribution of a latent of a jointly normal block, given those before it in this run.

    Args:
        block: The block.
        name: The latent.
        run: The run.
        loc: Mean of the block's vector.
        tril: Lower triangular factor of its covariance.
        guide: A number that tells this guide from others in the run.
    """
    span = block.slices[name]
    mean = loc[..., span]
    before = block.before(name)
    if before:
        noise = [run.cache[guide, "conditional", other].noise(run.value(other)) for other in before]
        mean = mean + matvec(tril[..., span, : span.start], ops.concatenate(noise, axis=-1))
    latent = block.latents[name]
    conditional = ConditionalNormal(block.shaped(name, mean), tril[..., span, span], latent.shape, latent.event_ndims)
    run.cache[guide, "conditional", name] = conditional
    return conditional


def marginal_of(block: LatentBlock, name: str, loc: Tensor, tril: Tensor) -> tuple[Tensor, Tensor]:
    """Returns mean and standard deviation of a latent of a jointly normal block."""
    span = block.slices[name]
    scale = ops.sqrt(ops.sum(tril[..., span, :] ** 2, axis=-1))
    return block.shaped(name, loc[..., span]), block.shaped(name, scale)


def unit_triangular(entries: Tensor, size: int) -> Tensor:
    """Returns the lower triangular matrix with a diagonal of ones and given entries below it.

    Args:
        entries: Shape (..., size (size - 1) / 2), row by row.
        size: Rows of the matrix.
    """
    number = size * (size - 1) // 2
    places = np.full((size, size), number)
    places[np.tril_indices(size, -1)] = np.arange(number)
    padded = ops.concatenate([entries, ops.zeros_like(entries[..., :1])], axis=-1)
    below = ops.reshape(ops.take(padded, places.ravel(), axis=-1), (*ops.shape(entries)[:-1], size, size))
    return below + ops.eye(size, dtype=entries.dtype)
