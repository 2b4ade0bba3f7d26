"""Low rank: one normal over all latents, whose correlations come from a few common factors.

u = μ + W η + s ε with few η. Given the numbers before it, η is normal with precision P and mean m,

    P = I + W_<ᵀ s_<⁻² W_<,      m = P⁻¹ W_<ᵀ s_<⁻² (u_< − μ_<),

and a latent's own numbers are of the same form again, with mean μ_k + W_k m and factors W_k P^-½.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kprob.checks import check_count
from kprob.distributions import get_constraint
from kprob.guides.numbers.conditionals import ConditionalLowRankNormal
from kprob.guides.numbers.joint_guide import JointGuide
from kprob.guides.numbers.latent_block import LatentBlock
from kprob.guides.numbers.vectors import matvec, solve_lower_triangular
from kprob.guides.running.guide_run import GuideRun
from kprob.options import check_number
from kprob.saving import register
from kprob.types import Tensor


@register
class LowRankMultivariateNormal(JointGuide):
    """One normal over the unconstrained values of all latents, with covariance W Wᵀ + diag(s²).

    For many latents: it has D (rank + 2) numbers for D latent numbers, where `MultivariateNormal` has about D² / 2.
    Latents inside the data plate have a normal of their own for each row, of at most this rank. The log-density of a
    latent in a plate is shared out evenly among the plate's elements.

    Args:
        rank: Number of common factors, the columns of W.
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

        guide = kprob.guides.LowRankMultivariateNormal(rank=1)
        model = line(inference=guide).compile(kprob.ELBO(), "adam")
        model.fit({"x": [1.0, 2.0, 3.0], "y": [1.1, 1.9, 3.2]}, epochs=1, verbose=0)
        assert set(model.posterior().sample(5)) == {"slope", "level"}
        ```

    Reference:
        Ong, Nott and Smith (2018), "Gaussian variational approximation with a factor covariance structure".
    """

    def __init__(
        self,
        rank: int = 10,
        init_scale: float = 0.1,
        init: str | dict[str, Any] = "median",
        encoder: keras.layers.Layer | None = None,
        inputs: str | Sequence[str] | None = None,
        **kwargs: Any,
    ):
        super().__init__(init, encoder, inputs, **kwargs)
        check_count("rank", rank)
        check_number("init_scale", init_scale, 0.0)
        self.rank, self.init_scale = rank, init_scale

    def create_block(self, block: LatentBlock, start: Tensor) -> None:
        key, inside = block.prefix, block.in_rows
        rank = min(self.rank, block.size)
        # Half of the variance to begin with is that of the factors, which must differ to become different.
        scale = self.init_scale / 2.0**0.5
        random_normal = keras.initializers.RandomNormal(stddev=scale / rank**0.5)
        self.add_parameter(f"{key}loc", start, inside)
        raw = get_constraint("positive").inverse(ops.full_like(start, scale))
        self.add_parameter(f"{key}scale", raw, inside)
        self.add_parameter(f"{key}factor", random_normal((*start.shape, rank)), inside)

    def conditional(self, block: LatentBlock, name: str, run: GuideRun) -> ConditionalLowRankNormal:
        loc, factor, scale = self._loc_factor_scale(block, run)
        span, latent = block.slices[name], block.latents[name]
        mean, own = loc[..., span], factor[..., span, :]
        before = block.before(name)
        if before:
            values = [block.flat(other, run.value(other)) for other in before]
            number = span.start
            residual = (ops.concatenate(values, axis=-1) - loc[..., :number]) / scale[..., :number]
            weighted = factor[..., :number, :] / scale[..., :number, None]
            transposed = ops.swapaxes(weighted, -1, -2)
            root = ops.cholesky(ops.matmul(transposed, weighted) + ops.eye(factor.shape[-1], dtype=factor.dtype))
            # P = R Rᵀ, so that P^-½ = R⁻ᵀ and W_k P^-½ = (R⁻¹ W_kᵀ)ᵀ.
            own = ops.swapaxes(ops.solve_triangular(root, ops.swapaxes(own, -1, -2), lower=True), -1, -2)
            mean = mean + matvec(own, solve_lower_triangular(root, matvec(transposed, residual)))
        return ConditionalLowRankNormal(
            block.shaped(name, mean), own, scale[..., span], latent.shape, latent.event_ndims
        )

    def marginal(self, name: str, run: GuideRun) -> tuple[Tensor, Tensor]:
        block = self.blocks[name]
        loc, factor, scale = self._loc_factor_scale(block, run)
        span = block.slices[name]
        variance = ops.sum(factor[..., span, :] ** 2, axis=-1) + scale[..., span] ** 2
        return block.shaped(name, loc[..., span]), block.shaped(name, ops.sqrt(variance))

    def get_config(self) -> dict:
        return {**super().get_config(), "rank": self.rank, "init_scale": self.init_scale}

    def _loc_factor_scale(self, block: LatentBlock, run: GuideRun) -> tuple[Tensor, Tensor, Tensor]:
        loc, factor, raw = (self.parameter(f"{block.prefix}{key}", run) for key in ("loc", "factor", "scale"))
        return loc, factor, get_constraint("positive").forward(raw)
