"""The baselines of an objective, each for one latent or one for all."""

from collections.abc import Mapping

import keras

from kprob.effects import Site, Trace
from kprob.errors import CompileError, MismatchError, explain, names
from kprob.objectives.baselines.baseline import Baseline
from kprob.types import Tensor


class Baselines:
    """The baselines of an objective, one for each latent that needs one.

    Args:
        baseline: One baseline for all latents, or a baseline by name of a latent.
    """

    def __init__(self, baseline: Baseline | Mapping[str, Baseline]):
        self.baseline = baseline
        values = list(baseline.values()) if isinstance(baseline, Mapping) else [baseline]
        if not values or not all(isinstance(value, Baseline) for value in values):
            raise CompileError(
                explain(
                    "`baseline` isn't one.",
                    received=repr(baseline),
                    expected="a baseline, or a dict of baselines by name of a latent",
                    fix="write baseline=kprob.objectives.MovingAverageBaseline(), or "
                    'baseline={"z": kprob.objectives.MovingAverageBaseline()}',
                )
            )

    @property
    def layers(self) -> list[keras.layers.Layer]:
        """The baselines, each once."""
        values = self.baseline.values() if isinstance(self.baseline, Mapping) else [self.baseline]
        return list({id(value): value for value in values}.values())

    def of(self, latent: str) -> Baseline | None:
        """Returns the baseline of a latent, if it has one."""
        return self.baseline.get(latent) if isinstance(self.baseline, Mapping) else self.baseline

    def make(self, sites: list[Site], generative_trace: Trace, inference_trace: Trace) -> None:
        """Makes the variables for the latents that need a baseline."""
        if isinstance(self.baseline, Mapping):
            unknown = [name for name in self.baseline if name not in [site.name for site in sites]]
            if unknown:
                raise MismatchError(
                    explain(
                        f"There is a baseline for `{unknown[0]}`, which needs none.",
                        received=f"baselines for {names(self.baseline)}",
                        expected=f"names of latents that can't be reparameterised: {names(s.name for s in sites)}",
                        fix="remove it, or correct its name",
                    )
                )
        for site in sites:
            baseline = self.of(site.name)
            if baseline is not None:
                baseline.make(site, generative_trace, inference_trace)

    def guess(self, site: Site, generative_trace: Trace, inference_trace: Trace) -> Tensor:
        """Returns the guess for a latent; zero where it has no baseline."""
        baseline = self.of(site.name)
        return 0.0 if baseline is None else baseline.guess(site, generative_trace, inference_trace)

    def learn(self, latent: str, signal: Tensor) -> None:
        """Shows the baseline of a latent what it was to guess."""
        baseline = self.of(latent)
        if baseline is not None:
            baseline.learn(latent, signal)
