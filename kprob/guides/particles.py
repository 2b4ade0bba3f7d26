"""Particles: points that stand for the posterior, moved together by `kprob.objectives.Stein`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from kprob import checks, effects
from kprob.backend import random, tfd
from kprob.errors import MismatchError, explain
from kprob.guides.guide import Guide
from kprob.guides.running.guide_run import GuideRun
from kprob.guides.running.moved_particles import MovedParticles
from kprob.objectives.estimation.draw_runs import ParticleMover
from kprob.options import check_number
from kprob.saving import register
from kprob.types import Distribution, Tensor


@dataclass(slots=True)
class ParticleChoice:
    """Which particle a run has chosen.

    Attributes:
        index: Its number; None between runs.
    """

    index: Tensor = None


@register
class Particles(Guide):
    """Points in the space of all latents, each as likely as the others: a draw is one of them.

    `compile(kprob.objectives.Stein(), ...)` makes them draws of the posterior; with other objectives each climbs to a mode.

    Args:
        num_particles: How many there are.
        init_scale: Their spread at the start, in unconstrained space.
        init: What they start around (see `Guide`).
        name: Name of the layer.

    Example:
        ```python
        import keras
        import kprob
        from kprob import tfd

        @kprob.probmodel
        def temperature():
            temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
            kprob.sample("sensor", tfd.Normal(temp, 1.0))

        model = temperature(inference=kprob.guides.Particles(20)).compile(kprob.objectives.Stein(), keras.optimizers.Adam(0.1))
        model.fit({"sensor": 18.0}, epochs=300, verbose=0)
        assert abs(model.posterior("temp").sample(1000).mean() - 17.4) < 0.3
        ```

    Reference:
        Liu and Wang (2016), "Stein variational gradient descent", arXiv:1608.04471.
    """

    chooses = True

    def __init__(
        self, num_particles: int = 50, init_scale: float = 1.0, init: str | dict[str, Any] = "median", **kwargs: Any
    ):
        super().__init__(init, **kwargs)
        checks.check_count("num_particles", num_particles)
        check_number("init_scale", init_scale, 0.0, ends="[", example=1.0)
        self.num_particles, self.init_scale = num_particles, init_scale
        self._choice = ParticleChoice()

    def create(self, starts: dict[str, Tensor]) -> None:
        for name, start in starts.items():
            self._require_fixed(name)
            shape = (self.num_particles, *start.shape)
            noise = random.normal(shape, random.fresh_seed())
            self.add_parameter(f"{name}_points", keras.ops.expand_dims(start, 0) + self.init_scale * noise)

    def _require_fixed(self, name: str) -> None:
        in_rows = self.latents[name].in_rows
        if in_rows or self.bijectors[name] is None:
            where = "in the data plate" if in_rows else "with a support that depends on others"
            raise MismatchError(
                explain(
                    f"Particles can't stand for latent `{name}`.",
                    received=f"`{name}` {where}",
                    expected="latents outside the data plate, whose supports are fixed",
                    fix="use another guide, such as kprob.guides.Normal(), with kprob.ELBO()",
                )
            )

    @property
    def points(self) -> dict[str, keras.Variable]:
        """The particles, in unconstrained space, by latent: (num_particles, ...)."""
        return {name: self.parameters[f"{name}_points"] for name in self.latents}

    def run(self, network: Callable[[], object], data: dict | None = None) -> None:
        # One choice for all latents: they are parts of one point.
        seed = effects.send(effects.Site(f"{self.name}_choice", effects.SiteKind.SEED)).seed
        share = random.uniform((), random.fresh_seed() if seed is None else seed)
        index = keras.ops.cast(keras.ops.floor(share * self.num_particles), "int32")
        self._choice.index = keras.ops.minimum(index, self.num_particles - 1)
        try:
            super().run(network, data)
        finally:
            self._choice.index = None

    def posterior(self, name: str, run: GuideRun) -> Distribution:
        # Flat: its log-density is zero wherever the value is, so that what is left is the bijector's volume.
        point = keras.ops.take(keras.ops.convert_to_tensor(self.points[name]), self._choice.index, axis=0)
        ndims = self.latents[name].event_ndims
        flat = tfd.Deterministic(point, atol=float("inf"))
        return tfd.Independent(flat, ndims) if ndims else flat

    def moved_particles(self, mover: ParticleMover, model_name: str) -> MovedParticles:
        variables = {name: keras.ops.convert_to_tensor(variable) for name, variable in self.points.items()}
        flat = [keras.ops.reshape(value, (self.num_particles, -1)) for value in variables.values()]
        moved, correction = mover.directed(keras.ops.concatenate(flat, axis=-1))
        values, first = {}, 0
        for (name, value), columns in zip(variables.items(), flat, strict=True):
            own = keras.ops.reshape(moved[:, first : first + columns.shape[1]], value.shape)
            values[name] = self.bijectors[name].forward(own)
            first += columns.shape[1]
        return MovedParticles(self.num_particles, values, correction)

    def get_config(self) -> dict:
        return {**super().get_config(), "num_particles": self.num_particles, "init_scale": self.init_scale}
