"""Queries about the posterior, and what follows from it, that are answered by the inference network."""

from collections.abc import Mapping
from dataclasses import replace

import keras
import numpy as np

from kprob.backend import random
from kprob.backend.seeds import seed_of
from kprob.effects import Inverted, Trace
from kprob.engine import Networks
from kprob.engine.enumeration import conditional, num_runs
from kprob.numerics import to_numpy
from kprob.queries import importance_resampling, summed_out
from kprob.queries.network_query import NetworkQuery, repeated
from kprob.queries.query import Arrays
from kprob.queries.target import Target
from kprob.types import Seed, Tensor


class InferenceQuery(NetworkQuery):
    """A query about the posterior or the posterior predictive: q runs, and p where the sites asked for are p's."""

    @staticmethod
    def run(
        networks: Networks,
        target: Target,
        batch: dict,
        seed: Seed,
        num_draws: int | None = None,
        given: Mapping[str, Tensor] | None = None,
    ) -> Trace:
        batch = repeated(batch, num_draws)
        first, second = random.fold_in(seed, 0), random.fold_in(seed, 1)
        latents = networks.trained_part(networks.run_inference(batch, first, num_draws, target.size, given=given))
        if summed_out.needed(networks, target):
            given = summed_out.complete(networks, target, batch, seed, latents, num_draws, given or {})
        if target.kind == "posterior" and all(name in latents for name in target.names):
            return latents
        # What follows from latents is the generative network's.
        return networks.run_generative(
            batch, second, latents, num_draws, target.size, given=given, unobserved=(*target.names, *(given or ()))
        )

    def networks_fold(self) -> bool:
        folding = self.networks.folding
        return folding is not None and folding.of_both

    @classmethod
    def densities(
        cls, networks: Networks, target: Target, batch: dict, seed: Seed, values: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        written = [name for name in target.names if name in networks.reparam]
        if target.kind != "posterior" or not written:
            return super().densities(networks, target, batch, seed, values)
        # q's density is one of the latents that stand for these sites; p knows which latents their values come from.
        inverted = Inverted(networks.reparam)
        networks.run_generative(batch, random.fold_in(seed, 1), size=target.size, given=values, extra=inverted)
        latents = {name: value for name, value in values.items() if name not in networks.reparam} | inverted.latents
        own = tuple(networks.reparam[n].latent_name(n) if n in written else n for n in target.names)
        found = super().densities(networks, replace(target, names=own), batch, seed, latents)
        slopes = inverted.log_slopes
        return {n: found[o] + slopes[n] if n in slopes else found[o] for n, o in zip(target.names, own, strict=True)}

    def runs_per_draw(self) -> int:
        return 1 if self.networks.plan is None else num_runs(self.networks.plan)

    def _exact(self) -> dict[str, tuple]:
        posterior, guide = self.target.kind == "posterior", self.networks.guide
        if posterior and guide is not None and guide.chooses:
            return {}
        trace = self.run(self.networks, self.target, self.batch, random.seed(0))
        if posterior and any(trace[name].is_deterministic for name in self.target.names):
            return {}
        return self._moments_of(trace, all_sites=posterior and guide is not None and guide.independent)

    def _resample(self, number: int, proposals: int | bool, seed: int | None) -> Arrays:
        return importance_resampling.sample(self.networks, self.target, self.data, number, proposals, seed)

    def _probabilities(self, number: int, seed: int | None) -> Arrays:
        networks, target = self.networks, self.target
        summed_out.check_summed(networks, target, "probs")
        number = number if networks.require_spec().latents else 1

        def program(batch: dict, seed: Seed) -> dict:
            def once(seed: Seed) -> dict:
                factors = summed_out.find(networks, target, batch, seed)
                probabilities = conditional.probabilities(factors)
                return {name: probabilities[name] for name in target.names}

            each = networks.map_draws(once, random.split(seed, number))
            return {name: keras.ops.mean(p, axis=0) for name, p in each.items()}

        compiled = networks.programs.compiled(("probabilities", target, number), program)
        return to_numpy(compiled(self.batch, seed_of(seed, networks.host.seed_generator)))

    def _most_probable(self) -> dict[str, np.ndarray]:
        return to_numpy(summed_out.mode(self.networks, self.target, self.batch))
