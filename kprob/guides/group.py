"""Group: a different guide for each set of latents."""

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from kprob import effects
from kprob.errors import MismatchError, did_you_mean, explain, names
from kprob.guides.guide import Guide
from kprob.guides.laplace import Laplace
from kprob.guides.normal import Normal
from kprob.guides.running.fitted_networks import FittedNetworks
from kprob.guides.running.guide_run import GuideRun
from kprob.saving import register
from kprob.types import ArrayLike, Bijector, Distribution, Tensor


@dataclass(slots=True)
class GroupRecords:
    """The plain records of a group, beside those of every guide.

    Attributes:
        named: The sets of latents, one for each member.
        owners: The guide of each latent.
    """

    named: list[tuple[str, ...]]
    owners: dict[str, Guide] = field(default_factory=dict)


@register
class Group(Guide):
    """A guide of its own for each set of latents; sets are independent of each other.

    Args:
        guides: Guides by the latent, or the tuple of latents, that they stand for.
        default: The guide of all other latents; `Normal()` where it is left out.
        name: Name of the layer.

    Example:
        ```python
        import kprob
        from kprob import guides, tfd

        @kprob.probmodel
        def line(x):
            slope = kprob.sample("slope", tfd.Normal(0.0, 1.0))
            level = kprob.sample("level", tfd.Normal(0.0, 1.0))
            noise = kprob.sample("noise", tfd.HalfNormal(1.0))
            with kprob.plate("data"):
                kprob.sample("y", tfd.Normal(level + slope * x, noise))

        guide = guides.Group({("slope", "level"): guides.MultivariateNormal(), "noise": guides.Delta()})
        model = line(inference=guide).compile(kprob.ELBO(), "adam")
        model.fit({"x": [1.0, 2.0, 3.0], "y": [1.1, 1.9, 3.2]}, epochs=1, verbose=0)
        assert model.posterior("noise").stddev() < 1e-6
        ```
    """

    def __init__(self, guides: Mapping[str | tuple[str, ...], Guide], default: Guide | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.default = Normal() if default is None else default
        self.members = list(guides.values())
        self._group_records = GroupRecords([(key,) if isinstance(key, str) else tuple(key) for key in guides])
        for guide in (*self.members, self.default):
            _check_member(guide)
        listed = [name for group in self.named for name in group]
        twice = [name for name in listed if listed.count(name) > 1]
        if twice:
            raise MismatchError(
                explain(
                    f"Group has two guides for latent `{twice[0]}`.",
                    received=names(map(str, self.named)),
                    expected="each latent in one set",
                    fix=f"take `{twice[0]}` out of one of them",
                )
            )

    @property
    def named(self) -> list[tuple[str, ...]]:
        """The sets of latents, one for each member."""
        return self._group_records.named

    @property
    def owners(self) -> dict[str, Guide]:
        """The guide of each latent."""
        return self._group_records.owners

    @property
    def needs_parents(self) -> bool:
        return any(guide.needs_parents for guide in (*self.members, self.default))

    @property
    def independent(self) -> bool:
        return bool(self.owners) and all(guide.independent for guide in self._used())

    @property
    def has_rows(self) -> bool:
        return any(guide.has_rows for guide in self._used())

    @property
    def starts_at_random(self) -> bool:
        return any(guide.starts_at_random for guide in (*self.members, self.default))

    @property
    def rereads_data(self) -> bool:
        return any(guide.rereads_data for guide in (*self.members, self.default))

    @property
    def phase(self) -> str | None:
        phases = [guide.phase for guide in (*self.members, self.default)]
        return None if not any(phases) else ", ".join(map(str, phases))

    def on_fit_begin(self) -> None:
        for guide in self._used():
            guide.on_fit_begin()

    def on_fit_end(self, networks: FittedNetworks, batches: Iterable[dict]) -> None:
        readers = [guide for guide in self._used() if guide.rereads_data]
        # A stream can be gone through once alone: what one member has read is kept until the last one has.
        copies = dict(zip(readers, itertools.tee(batches, len(readers)), strict=True))
        for guide in self._used():
            guide.on_fit_end(networks, copies.get(guide, ()))

    def start_of(self, name: str) -> ArrayLike:
        return self._owner(name).start_of(name)

    def setup(
        self,
        sites: list[effects.Site],
        num_data: int | None = None,
        data: dict | None = None,
        parents: dict[str, tuple[str, ...]] | None = None,
        draws: Callable[..., dict] | None = None,
    ) -> None:
        latents = [site.name for site in sites]
        for name in [name for group in self.named for name in group]:
            if name not in latents:
                raise MismatchError(
                    explain(
                        f"Group has a guide for `{name}`, which is no latent.{did_you_mean(name, latents)}",
                        received=f"guides for {names(map(str, self.named))}",
                        expected=f"the latents {names(latents)}",
                        fix="correct the name, or take it out: what the data gives needs no guide",
                    )
                )
        self.num_data = num_data
        if draws is not None:
            self._records.draw_posterior = draws
        self.owners.update({name: self._owner(name) for name in latents})
        for guide in self._used():
            guide.claim(self, "a Group")
            own_sites = {site.name: site for site in sites if self.owners[site.name] is guide}
            own_parents = {
                name: tuple(parent for parent in each if parent in own_sites)
                for name, each in (parents or {}).items()
                if name in own_sites
            }
            guide.setup(list(own_sites.values()), num_data, data, own_parents, draws)
        for name in latents:
            self.latents[name] = self.owners[name].latents[name]
            self.bijectors[name] = self.owners[name].bijectors[name]
        self.built = True

    def posterior(self, name: str, run: GuideRun) -> Distribution:
        return self.owners[name].posterior(name, run)

    def place(self, name: str, base: Distribution, bijector: Bijector) -> Distribution:
        return self.owners[name].place(name, base, bijector)

    def marginal(self, name: str, run: GuideRun) -> tuple[Tensor, Tensor] | None:
        return self.owners[name].marginal(name, run)

    def get_config(self) -> dict:
        serialize = keras.saving.serialize_keras_object
        guides = [[list(group), serialize(guide)] for group, guide in zip(self.named, self.members, strict=True)]
        config = {key: value for key, value in super().get_config().items() if key != "init"}
        return {**config, "guides": guides, "default": serialize(self.default)}

    @classmethod
    def from_config(cls, config: dict) -> "Group":
        restore = keras.saving.deserialize_keras_object
        guides = {tuple(group): restore(guide) for group, guide in config["guides"]}
        return cls(**{**config, "guides": guides, "default": restore(config["default"])})

    def _owner(self, name: str) -> Guide:
        for group, guide in zip(self.named, self.members, strict=True):
            if name in group:
                return guide
        return self.default

    def _used(self) -> list[Guide]:
        return list(dict.fromkeys(self.owners.values()))


def _check_member(guide: object) -> None:
    if not isinstance(guide, Guide) or isinstance(guide, Laplace | Group):
        raise MismatchError(
            explain(
                "Group takes guides.",
                received=repr(guide),
                expected="guides such as kprob.guides.Normal(), and neither Laplace, whose curvature is that of all "
                "latents together, nor another Group",
                fix='write Group({"w": kprob.guides.MultivariateNormal()})',
            )
        )
