"""Guides that are normalising flows: noise through invertible networks, with the density that it then has."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import ops

from kprob.backend import random
from kprob.checks import check_count
from kprob.distributions import get_constraint
from kprob.errors import MismatchError, explain, names
from kprob.guides.normal import independent_normals
from kprob.guides.numbers.conditionals import LatentDistribution
from kprob.guides.numbers.joint_guide import JointGuide
from kprob.guides.numbers.latent_block import LatentBlock
from kprob.guides.running.guide_run import GuideRun
from kprob.numerics import LOG_2_PI
from kprob.options import check_number, check_units
from kprob.types import Distribution, Seed, Tensor

# Scales of a step stay between e^-3 and e^3.
LARGEST_LOG_SCALE = 3.0


@dataclass(slots=True)
class FlowRecords:
    """The plain records of a flow, beside those of every joint guide.

    Attributes:
        orders: The order that numbers are put into before each step.
    """

    orders: list[np.ndarray] = field(default_factory=list)


class Flow(JointGuide):
    """Base class of flows: all latents outside the data plate are one vector, made from normal noise by invertible steps.

    After the steps comes a location and a scale for each number, where the flow starts as a mean-field normal. Between
    steps the numbers change places. Latents inside the data plate are independent normals for each row.

    Latents are drawn together, so the joint log-density can't be told apart by latent: that of the last latent is the
    joint one, and those of the others count zero. `log_prob` wants values of all of them.

    To subclass, override `make_network(size, step)`, `forward(step, vector)` and `inverse(step, vector)`.

    Args:
        num_steps: Number of steps.
        hidden_units: Units of each hidden layer of the steps' networks.
        activation: Activation of the hidden layers.
        init_scale: Standard deviation, in unconstrained space, to start from.
        init: See `Guide`.
        encoder: A Keras layer from data to features, for latents inside the data plate (see `Guide`).
        inputs: Names of the data that the encoder takes.
        **kwargs: Keras's.
    """

    def __init__(
        self,
        num_steps: int = 2,
        hidden_units: Sequence[int] = (32, 32),
        activation: str = "elu",
        init_scale: float = 0.1,
        init: str | dict[str, Any] = "median",
        encoder: keras.layers.Layer | None = None,
        inputs: str | Sequence[str] | None = None,
        **kwargs: Any,
    ):
        super().__init__(init, encoder, inputs, **kwargs)
        check_count("num_steps", num_steps)
        check_units("hidden_units", hidden_units)
        check_number("init_scale", init_scale, 0.0)
        self.num_steps, self.hidden_units = num_steps, tuple(int(units) for units in hidden_units)
        self.activation, self.init_scale = activation, init_scale
        self.networks: list[keras.layers.Layer] = []
        self._flow_records = FlowRecords()

    @property
    def orders(self) -> list[np.ndarray]:
        """The order that numbers are put into before each step."""
        return self._flow_records.orders

    def make_network(self, size: int, step: int) -> keras.layers.Layer:
        """Returns a built network for a step on vectors of a size."""
        raise NotImplementedError

    def forward(self, step: int, vector: Tensor) -> tuple[Tensor, Tensor]:
        """Returns a step's image of a vector, and the logarithm of the Jacobian's determinant."""
        raise NotImplementedError

    def inverse(self, step: int, vector: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the vector whose image is given, and the logarithm of the Jacobian's determinant there."""
        raise NotImplementedError

    def create_block(self, block: LatentBlock, start: Tensor) -> None:
        self.add_parameter(f"{block.prefix}loc", start, block.in_rows)
        raw = get_constraint("positive").inverse(ops.full_like(start, self.init_scale))
        self.add_parameter(f"{block.prefix}scale", raw, block.in_rows)
        if not block.in_rows:
            self.orders.extend(order_of(step, block.size) for step in range(self.num_steps))
            self.networks.extend(self.make_network(block.size, step) for step in range(self.num_steps))

    def conditional(self, block: LatentBlock, name: str, run: GuideRun) -> Distribution:
        if block.in_rows:
            loc, scale = self._row_normal(block, name, run)
            return independent_normals(loc, scale, block.latents[name].event_ndims)
        draw = run.once((id(self), "draw"), lambda: _FlowDraw(self, block, run))
        return _FlowLatent(draw, name)

    def marginal(self, name: str, run: GuideRun) -> tuple[Tensor, Tensor] | None:
        block = self.blocks[name]
        return self._row_normal(block, name, run) if block.in_rows else None

    def carry(self, block: LatentBlock, run: GuideRun, noise: Tensor) -> tuple[Tensor, Tensor]:
        if not block.in_rows:
            return self.transform(block, run, noise)
        loc, scale = self._loc_and_scale(block, run)
        return loc + scale * noise, ops.sum(ops.log(scale), axis=-1)

    def transform(self, block: LatentBlock, run: GuideRun, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the vector that noise becomes, and the logarithm of the Jacobian's determinant."""
        total = ops.zeros(ops.shape(noise)[:-1], noise.dtype)
        for step, order in enumerate(self.orders):
            noise, log_det = self.forward(step, ops.take(noise, order, axis=-1))
            total = total + log_det
        loc, scale = self._loc_and_scale(block, run)
        return loc + scale * noise, total + ops.sum(ops.log(scale), axis=-1)

    def recover(self, block: LatentBlock, run: GuideRun, vector: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the noise that became a vector, and the logarithm of the Jacobian's determinant there."""
        loc, scale = self._loc_and_scale(block, run)
        noise = (vector - loc) / scale
        total = ops.zeros(ops.shape(noise)[:-1], noise.dtype) + ops.sum(ops.log(scale), axis=-1)
        for step in reversed(range(self.num_steps)):
            noise, log_det = self.inverse(step, noise)
            noise = ops.take(noise, np.argsort(self.orders[step]), axis=-1)
            total = total + log_det
        return noise, total

    def get_config(self) -> dict:
        own = {"num_steps": self.num_steps, "hidden_units": list(self.hidden_units), "activation": self.activation}
        return {**super().get_config(), **own, "init_scale": self.init_scale}

    def _row_normal(self, block: LatentBlock, name: str, run: GuideRun) -> tuple[Tensor, Tensor]:
        loc, scale = self._loc_and_scale(block, run)
        span = block.slices[name]
        return block.shaped(name, loc[..., span]), block.shaped(name, scale[..., span])

    def _loc_and_scale(self, block: LatentBlock, run: GuideRun) -> tuple[Tensor, Tensor]:
        loc, raw = (self.parameter(f"{block.prefix}{key}", run) for key in ("loc", "scale"))
        return loc, get_constraint("positive").forward(raw)


class _FlowDraw:
    # All latents of a flow in one run: drawn with the first of them, and weighed with the last. The density of a draw comes
    # with it; values from elsewhere are carried back to noise.
    def __init__(self, guide: Flow, block: LatentBlock, run: GuideRun):
        self.guide, self.block, self.run = guide, block, run
        self.loc, _ = guide._loc_and_scale(block, run)
        self.vector: Tensor = None
        self.noise: Tensor = None
        self.log_det: Tensor = None
        self.values: dict[str, Tensor] = {}

    def draw(self, name: str, sample_shape: tuple[int, ...], seed: Seed) -> Tensor:
        before = self.block.before(name)
        not_drawn = [other for other in before if other not in self.values]
        if not_drawn:
            raise _partly_given(self.guide, not_drawn, name)
        if not before:
            self.noise = random.normal((*sample_shape, self.block.size), seed)
            self.vector, self.log_det = self.guide.transform(self.block, self.run, self.noise)
        value = self.block.shaped(name, self.vector[..., self.block.slices[name]])
        self.values[name] = value
        return value

    def log_prob(self, name: str, value: Tensor) -> Tensor:
        values = {other: self.run.value(other) for other in self.block.before(name)} | {name: value}
        if all(self.values.get(other) is values[other] for other in values):
            noise, log_det = self.noise, self.log_det
        else:
            # A flow is inverted as a whole.
            noise, log_det = self.guide.recover(self.block, self.run, self.joined(values))
        normal = -0.5 * ops.sum(noise * noise, axis=-1) - 0.5 * LOG_2_PI * self.block.size
        return normal - log_det

    def joined(self, values: dict[str, Tensor]) -> Tensor:
        vectors = [self.block.flat(name, values[name]) for name in self.block.latents]
        lead = max((ops.shape(vector)[:-1] for vector in vectors), key=len)
        return ops.concatenate([ops.broadcast_to(vector, (*lead, vector.shape[-1])) for vector in vectors], axis=-1)


class _FlowLatent(LatentDistribution):
    # One latent of a flow: the density of the last one is that of all.
    def __init__(self, flow_draw: _FlowDraw, latent: str):
        self._flow_draw, self._latent = flow_draw, latent
        block = flow_draw.block
        loc = block.shaped(latent, flow_draw.loc[..., block.slices[latent]])
        before = {f"given_{other}": flow_draw.run.value(other) for other in block.before(latent)}
        super().__init__(loc, block.latents[latent].event_ndims, **before)

    def draw(self, sample_shape: tuple[int, ...], seed: Seed) -> Tensor:
        return self._flow_draw.draw(self._latent, sample_shape, seed)

    def density(self, value: Tensor) -> Tensor:
        if self._latent != self._flow_draw.block.last:
            return self.sum_event(ops.zeros_like(value))
        return self.share_among_plates(self._flow_draw.log_prob(self._latent, value), value)


def _partly_given(guide: Flow, given: list[str], name: str) -> MismatchError:
    return MismatchError(
        explain(
            f"{type(guide).__name__} draws its latents together, and can't draw some given others.",
            received=f"values of {names(given)}, and none of `{name}`",
            expected="values of all latents, or of none",
            fix="ask for all latents at once; MultivariateNormal and Structured draw latents given those before them",
        )
    )


def order_of(step: int, size: int) -> np.ndarray:
    """Returns the order that numbers are put into before a step: shuffled every second step, reversed in between.

    Args:
        step: Number of the step.
        size: How many numbers there are.
    """
    if step == 0:
        return np.arange(size)
    return np.arange(size)[::-1].copy() if step % 2 else np.random.RandomState(step).permutation(size)


def bounded(raw: Tensor) -> Tensor:
    """Returns log-scales of moderate size: the identity near zero."""
    return LARGEST_LOG_SCALE * ops.tanh(raw / LARGEST_LOG_SCALE)
