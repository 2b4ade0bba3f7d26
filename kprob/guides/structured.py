"""Structured: normals that depend on each other along the model's graph.

A latent's location is linear in the unconstrained values of its parents in the generative network:

    u_k = μ_k + Σ_j A_kj (u_j − μ_j) + s_k ε,      j over the latents that k depends on.

Inside plates that both are in, each element depends on its own element of the parent.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from kprob.distributions import get_constraint
from kprob.errors import MismatchError, did_you_mean, explain, names
from kprob.guides.guide import Guide
from kprob.guides.normal import independent_normals
from kprob.guides.numbers.vectors import matvec
from kprob.guides.running.guide_run import GuideRun
from kprob.options import check_number
from kprob.saving import register
from kprob.types import Distribution, Tensor


@dataclass(slots=True)
class StructuredRecords:
    """The plain records of a structured guide, beside those of every guide.

    Attributes:
        parents: By latent, the latents before it that it depends on; None until they are known.
    """

    parents: dict[str, tuple[str, ...]] | None


@register
class Structured(Guide):
    """Normals in unconstrained space whose locations are linear in the latents that they depend on in the model.

    For hierarchies: it keeps the dependence between a group's latents and what they have in common, which mean field
    loses, with few numbers, inside the data plate too. Which latent depends on which is found by running the generative
    network; latents that only share a child (the weights of a regression) stay independent, unless `parents` says so.

    Args:
        parents: By latent, the latents drawn before it that it depends on; found in the model where it is left out.
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
        def days():
            mean = kprob.sample("mean", tfd.Normal(15.0, 2.0))
            with kprob.plate("data"):
                day = kprob.sample("day", tfd.Normal(mean, 2.0))
                kprob.sample("sensor", tfd.Normal(day, 1.0))

        model = days(inference=kprob.guides.Structured()).compile(kprob.ELBO(), "adam")
        model.fit({"sensor": [18.0, 18.7, 19.2]}, epochs=1, verbose=0)
        assert model.guide.parents == {"mean": (), "day": ("mean",)}
        ```

    Reference:
        Ambrogioni, Lin, Fertig, Vikram, Hinne, Moore and van Gerven (2021), "Automatic structured variational
        inference"; Hoffman and Blei (2015), "Structured stochastic variational inference".
    """

    def __init__(
        self,
        parents: Mapping[str, Sequence[str]] | None = None,
        init_scale: float = 0.1,
        init: str | dict[str, Any] = "median",
        encoder: keras.layers.Layer | None = None,
        inputs: str | Sequence[str] | None = None,
        **kwargs: Any,
    ):
        super().__init__(init, encoder, inputs, **kwargs)
        check_number("init_scale", init_scale, 0.0)
        self.init_scale = init_scale
        self._structure = StructuredRecords(
            None if parents is None else {name: tuple(p) for name, p in parents.items()}
        )

    @property
    def parents(self) -> dict[str, tuple[str, ...]] | None:
        """By latent, the latents before it that it depends on; None until they are known."""
        return self._structure.parents

    @property
    def needs_parents(self) -> bool:
        return self.parents is None

    def set_parents(self, parents: dict[str, tuple[str, ...]]) -> None:
        if self.parents is not None:
            parents = self.parents
        order = list(self.latents)
        self._check(parents, order)
        self._structure.parents = {
            name: tuple(p for p in order[: order.index(name)] if p in parents.get(name, ())) for name in order
        }

    def create(self, starts: dict[str, Tensor]) -> None:
        for name, start in starts.items():
            latent = self.latents[name]
            raw = get_constraint("positive").inverse(ops.full_like(start, self.init_scale))
            self.add_parameter(f"{name}_loc", start, latent.in_rows)
            self.add_parameter(f"{name}_scale", raw, latent.in_rows)
            for other in self._usable_parents(name):
                shared, own, theirs = self._shapes(name, other)
                lead = (1,) if latent.in_rows else ()
                weights = ops.zeros((*lead, *shared, own, theirs))
                self.add_parameter(f"{name}_on_{other}", weights, latent.in_rows)

    def posterior(self, name: str, run: GuideRun) -> Distribution:
        latent = self.latents[name]
        loc = self.parameter(f"{name}_loc", run)
        for other in self._usable_parents(name):
            shared, own, theirs = self._shapes(name, other)
            deviation = run.value(other) - self.parameter(f"{other}_loc", run)
            lead = ops.shape(deviation)[: len(deviation.shape) - len(self.latents[other].shape)]
            deviation = ops.reshape(deviation, (*lead, *shared, theirs))
            shift = matvec(self.parameter(f"{name}_on_{other}", run), deviation)
            loc = loc + ops.reshape(shift, (*ops.shape(shift)[: 1 if latent.in_rows else 0], *latent.shape))
        scale = get_constraint("positive").forward(self.parameter(f"{name}_scale", run))
        return independent_normals(loc, scale, latent.event_ndims)

    def marginal(self, name: str, run: GuideRun) -> tuple[Tensor, Tensor] | None:
        if self._usable_parents(name):
            return None
        scale = get_constraint("positive").forward(self.parameter(f"{name}_scale", run))
        return self.parameter(f"{name}_loc", run), scale

    def get_config(self) -> dict:
        parents = None if self.parents is None else {name: list(each) for name, each in self.parents.items()}
        return {**super().get_config(), "parents": parents, "init_scale": self.init_scale}

    def _usable_parents(self, name: str) -> list[str]:
        # What is outside the data plate can't depend on single rows: a minibatch hasn't all of them.
        inside = self.latents[name].in_rows
        parents = (self.parents or {})[name]
        return [other for other in parents if inside or not self.latents[other].in_rows]

    def _shapes(self, name: str, other: str) -> tuple[tuple[int, ...], int, int]:
        # The plates that both are in, and the numbers that are left of each.
        child, parent = self.latents[name], self.latents[other]
        plates = [[plate for plate in latent.plates if plate[1] is not None] for latent in (child, parent)]
        common = 0
        while common < min(map(len, plates)) and plates[0][common] == plates[1][common]:
            common += 1
        return child.shape[:common], math.prod(child.shape[common:]), math.prod(parent.shape[common:])

    def _check(self, parents: Mapping[str, Sequence[str]], latents: list[str]) -> None:
        for name, others in parents.items():
            for other in (name, *others):
                if other not in latents:
                    raise MismatchError(
                        explain(
                            f"The `parents` of Structured name a latent that isn't there.{did_you_mean(other, latents)}",
                            received=f"`{other}` in parents={{{name!r}: {list(others)!r}}}",
                            expected=f"one of {names(latents)}",
                            fix="correct the name",
                        )
                    )
            late = [other for other in others if latents.index(other) >= latents.index(name)]
            if late:
                raise MismatchError(
                    explain(
                        f"Latent `{name}` can't depend on `{late[0]}`, which isn't drawn before it.",
                        received=f"parents={{{name!r}: {list(others)!r}}}",
                        expected=f"latents before `{name}` in the order {names(latents)}",
                        fix=f"let `{late[0]}` depend on `{name}` instead: the dependence is mutual",
                    )
                )
