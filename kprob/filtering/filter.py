"""The particle filter of a model: its networks are run once to find their `scan`, then the filter runs along the steps.

What the networks declare before the scan are the particles' beginnings, where the steps themselves don't depend on it: it is
drawn once for each particle. What they do depend on (a parameter with a prior) must be given.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from kprob.backend import compile_function, compile_with_fallback, find_influences, map_draws, random
from kprob.backend.seeds import seed_of
from kprob.data import Data, batch_of
from kprob.effects import Site, Steps, Trace
from kprob.engine import Networks
from kprob.errors import SiteError
from kprob.filtering.captured_scan import CapturedScan
from kprob.filtering.checks import (
    check_data,
    check_given,
    check_scans,
    not_given,
    require_scan,
    run_first,
)
from kprob.filtering.filtered import Filtered, make_filtered
from kprob.filtering.particle_filter import FilterStep, ParticleCloud, filter_particles, normalise
from kprob.numerics import to_numpy
from kprob.types import Seed, Tensor

ops, tree = keras.ops, keras.tree


def particle_filter(
    networks: Networks,
    data: Data,
    num_particles: int,
    proposal: str,
    resampling: str,
    ess_threshold: float,
    given: Mapping[str, Any] | None,
    seed: int | None,
) -> Filtered:
    """Filters along the steps of a network's scan.

    Args:
        networks: The model's networks; built, where the inference network proposes.
        data: What is observed in the steps, and covariates.
        num_particles: Number of particles.
        proposal: "generative", or "inference" for the inference network's steps.
        resampling: "systematic", "stratified" or "multinomial".
        ess_threshold: Share of the particles below which their effective sample size must fall for resampling.
        given: Values of latents on which all steps depend.
        seed: Makes the result repeatable.
    """
    batch = batch_of(data, with_index=False)
    values = {name: ops.convert_to_tensor(np.asarray(value, "float32")) for name, value in (given or {}).items()}
    guided = proposal == "inference"
    key = ("particle filter", guided, num_particles, resampling, ess_threshold, tuple(values), _shapes(batch))

    def make() -> Callable:
        runs = FilterRuns(networks, guided, num_particles, resampling, float(ess_threshold))
        return runs.compiled(runs.check(batch, values))

    program = networks.programs.cached(key, make)
    steps, before = program(batch, seed_of(seed, networks.host.seed_generator), values)
    return make_filtered(to_numpy(steps), to_numpy(before))


class FilterRuns:
    """The runs of a model's networks that a filter needs.

    Args:
        networks: The networks.
        guided: Whether q proposes.
        number: ParticleCloud.
        scheme: How to resample.
        threshold: Share of the particles below which the effective sample size must fall for that.
    """

    def __init__(self, networks: Networks, guided: bool, number: int, scheme: str, threshold: float):
        self.networks, self.model_name = networks, networks.model_name
        self.guided, self.number, self.scheme, self.threshold = guided, number, scheme, threshold

    def compiled(self, beginnings: tuple[str, ...]) -> Callable:
        """Returns the compiled `program(batch, seed, given)`, which tells of all steps and of what comes before them.

        Args:
            beginnings: Latents that are drawn for each particle.
        """

        def run(batch: dict, seed: Seed, given: dict) -> tuple[FilterStep, Tensor]:
            start, p, q = self.starts(batch, random.fold_in(seed, 0), given, beginnings)
            log_weights, before = normalise(start.log_weights)
            start = start._replace(log_weights=log_weights)
            with self.networks.store():
                return filter_particles(p, q, start, random.fold_in(seed, 1), self.scheme, self.threshold), before

        return compile_with_fallback(
            lambda jit: compile_function(run, self.networks.variables, jit=jit), self.networks.jit
        )

    def starts(
        self, batch: dict, seed: Seed, given: dict, beginnings: tuple
    ) -> tuple[ParticleCloud, Steps, Steps | None]:
        """Returns the particles before the first step, and the steps of p and of q."""
        p, q, log_weights = self.run(batch, random.fold_in(seed, 0), given)
        axis = p.axis

        def once(key: Seed) -> dict:
            p, q, log_weights = self.run(batch, key, given)
            return {"p": p.start, "q": () if q is None else q.start, "log_weights": ops.expand_dims(log_weights, axis)}

        if beginnings:
            drawn = map_draws(once, random.split(random.fold_in(seed, 1), self.number), self.networks.variables())
            drawn = tree.map_structure(lambda v: ops.moveaxis(ops.squeeze(v, axis + 1), 0, axis), drawn)
        else:
            one = {"p": p.start, "q": () if q is None else q.start, "log_weights": ops.expand_dims(log_weights, axis)}
            drawn = tree.map_structure(lambda v: ops.repeat(v, self.number, axis=axis), one)
        return ParticleCloud(drawn["p"], drawn["q"], drawn["log_weights"] - np.log(self.number).astype("float32")), p, q

    def run(
        self, batch: dict, seed: Seed, given: dict, found: Mapping | None = None
    ) -> tuple[Steps, Steps | None, Tensor]:
        """Runs the networks up to their scans.

        Args:
            batch: The data.
            seed: A seed.
            given: Values of latents that are known.
            found: Values of latents, in place of draws.

        Returns:
            The steps of p and of q, and the log-weight of what comes before them, of the shape of the plates.
        """
        values, q = {**given, **(found or {})}, None
        drawn = Trace()
        if self.guided:
            inference = CapturedScan("the inference network")
            with inference:
                whole = self.networks.run_inference(batch, random.fold_in(seed, 0), given=values)
            q = require_scan(inference, self.model_name)
            for site in inference.before:
                drawn.add(whole[site.name])
        generative = CapturedScan("the generative network")
        with generative:
            trace = self.networks.run_generative(batch, random.fold_in(seed, 1), drawn, given=values)
        p = require_scan(generative, self.model_name)
        sizes = tuple(plate.size for plate in p.plates)
        log_weights = ops.zeros(sizes)
        for site in generative.before:
            if site.observed and _same_plates(site, p):
                log_weights = log_weights + _in_plates(site, p)
            elif site.name in drawn and site.name not in given:
                log_weights = log_weights + _in_plates(trace[site.name], p) - _in_plates(drawn[site.name], p)
        if q is not None:
            check_scans(p, q)
        return p, q, log_weights

    def check(self, batch: dict, given: dict) -> tuple[str, ...]:
        """Returns the latents that each particle begins with.

        Raises:
            SiteError: The steps depend on a latent that isn't given, or a latent isn't of the particles' plates.
        """
        seed = random.seed(0)
        p, _, _ = self.run(batch, seed, given)
        with self.networks.store():
            check_data(p, seed, self.model_name)
        generative = CapturedScan("the generative network")
        with generative:
            trace = self.networks.run_generative(batch, seed, given=given)
        check_given(given, trace, p, self.model_name)
        open_ = {s.name: s for s in generative.before if s.is_random and not s.observed and s.name not in given}
        elsewhere = [site.name for site in generative.before if site.observed and not _same_plates(site, p)]
        outside = [name for name, site in open_.items() if not _same_plates(site, p)]

        def run(parts: dict) -> dict:
            p, q, _ = self.run(batch, seed, given, parts)
            with self.networks.store():
                return {
                    f"{i} {k}": v for i, s in enumerate((p, q)) if s is not None for k, v in _first(s, seed).items()
                }

        influences = find_influences(run, {name: site.value for name, site in open_.items()}) if open_ else {}
        needed = [name for name in open_ if name in outside or any(name in of for of in influences.values())]
        if needed or elsewhere:
            raise SiteError(not_given(needed, elsewhere, self.model_name))
        return tuple(open_)


def _first(steps: Steps, seed: Seed) -> dict[str, Tensor]:
    carry, trace = run_first(steps, seed)
    terms = {f"returned {i}": part for i, part in enumerate(tree.flatten(carry))}
    return terms | {name: site.log_prob() for name, site in trace.sites.items() if site.is_weighed}


def _same_plates(site: Site, steps: Steps) -> bool:
    outer = [plate.name for plate in site.plates[: steps.axis]]
    return outer == [plate.name for plate in steps.plates]


def _in_plates(site: Site, steps: Steps) -> Tensor:
    log_prob = site.log_prob()
    inner = tuple(range(steps.axis, len(log_prob.shape)))
    return ops.sum(log_prob, axis=inner) if inner else log_prob


def _shapes(batch: dict) -> tuple:
    return tuple(tuple(value.shape) for value in tree.flatten(batch))
