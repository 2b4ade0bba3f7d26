"""The particle filter of a model: its networks are run once to find their `scan`, then the filter runs along the steps.

What the networks declare before the scan are the particles' beginnings, where the steps themselves don't depend on it: it is
drawn once for each particle. What they do depend on (a parameter with a prior) must be given.
"""

from collections.abc import Callable, Mapping

import keras
import numpy as np

from kprob.backend import compile_function, find_influences, map_draws, random, training
from kprob.data import batch_of
from kprob.effects import Site, Steps, Trace
from kprob.errors import SiteError
from kprob.filtering.particle_filter import Particles, Step, filter_particles, normalise
from kprob.models import building, weighing
from kprob.models.filter_checks import (
    check_data,
    check_given,
    check_options,
    check_scans,
    not_given,
    require_scan,
    run_first,
)
from kprob.models.filtered import Filtered, make_filtered
from kprob.models.owner import owner_of
from kprob.models.taken_scan import TakeOver
from kprob.types import Seed, Tensor

ops, tree = keras.ops, keras.tree


def particle_filter(
    model,
    x,
    num_particles: int,
    proposal: str,
    resampling: str,
    ess_threshold: float,
    given: Mapping | None,
    seed: int | None,
) -> Filtered:
    """Filters (see `ProbabilisticModel.particle_filter`)."""
    check_options(num_particles, proposal, resampling, ess_threshold)
    data = model.prepare_data(x)
    guided = proposal == "inference"
    if guided and not model.built:
        building.build(model, data)
    batch = batch_of(data, with_index=False)
    values = {name: ops.convert_to_tensor(np.asarray(value, "float32")) for name, value in (given or {}).items()}
    runner = Runner(model, guided, num_particles, resampling, float(ess_threshold))
    key = ("particle filter", guided, num_particles, resampling, ess_threshold, tuple(values), _shapes(batch))
    programs = model.__dict__["_programs"]
    if key not in programs:
        programs[key] = runner.compiled(runner.check(batch, values))
    told, before = programs[key](batch, weighing.seed_of(model, seed), values)
    return make_filtered(tree.map_structure(ops.convert_to_numpy, told), ops.convert_to_numpy(before))


class Runner:
    """The runs of a model's networks that a filter needs.

    Args:
        model: The model.
        guided: Whether q proposes.
        number: Particles.
        scheme: How to resample.
        threshold: Share of the particles below which the effective sample size must fall for that.
    """

    def __init__(self, model, guided: bool, number: int, scheme: str, threshold: float):
        self.model, self.networks, self.owner = model, model.networks, owner_of(model)
        self.guided, self.number, self.scheme, self.threshold = guided, number, scheme, threshold

    def compiled(self, beginnings: tuple[str, ...]) -> Callable:
        """Returns the compiled `program(batch, seed, given)`, which tells of all steps and of what comes before them.

        Args:
            beginnings: Latents that are drawn for each particle.
        """

        def run(batch: dict, seed: Seed, given: dict) -> tuple[Step, Tensor]:
            start, p, q = self.starts(batch, random.fold_in(seed, 0), given, beginnings)
            log_weights, before = normalise(start.log_weights)
            start = start._replace(log_weights=log_weights)
            with self.networks.store():
                return filter_particles(p, q, start, random.fold_in(seed, 1), self.scheme, self.threshold), before

        def make(jit: bool) -> Callable:
            return compile_function(run, lambda: self.model.variables, jit=jit)

        program = make(self.model.__dict__.get("_jit", True))
        plain: list[Callable] = []

        def attempt(*arguments) -> tuple[Step, Tensor]:
            # Some families are drawn by rejection, of which there is no XLA version.
            if not plain:
                try:
                    return program(*arguments)
                except training.COMPILER_ERRORS:
                    plain.append(make(False))
            return plain[0](*arguments)

        return attempt

    def starts(self, batch: dict, seed, given: dict, beginnings: tuple) -> tuple[Particles, Steps, Steps | None]:
        """Returns the particles before the first step, and the steps of p and of q."""
        p, q, log_weights = self.run(batch, random.fold_in(seed, 0), given)
        axis = p.axis

        def once(key) -> dict:
            p, q, log_weights = self.run(batch, key, given)
            return {"p": p.start, "q": () if q is None else q.start, "log_weights": ops.expand_dims(log_weights, axis)}

        if beginnings:
            drawn = map_draws(once, random.split(random.fold_in(seed, 1), self.number), self.model.variables)
            drawn = tree.map_structure(lambda v: ops.moveaxis(ops.squeeze(v, axis + 1), 0, axis), drawn)
        else:
            one = {"p": p.start, "q": () if q is None else q.start, "log_weights": ops.expand_dims(log_weights, axis)}
            drawn = tree.map_structure(lambda v: ops.repeat(v, self.number, axis=axis), one)
        return Particles(drawn["p"], drawn["q"], drawn["log_weights"] - np.log(self.number).astype("float32")), p, q

    def run(self, batch: dict, seed, given: dict, found: Mapping | None = None):
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
            with TakeOver("the inference network") as inference:
                whole = self.networks.run_inference(batch, random.fold_in(seed, 0), given=values)
            q = require_scan(inference, self.owner)
            for site in inference.before:
                drawn.add(whole[site.name])
        with TakeOver("the generative network") as generative:
            trace = self.networks.run_generative(batch, random.fold_in(seed, 1), drawn, given=values)
        p = require_scan(generative, self.owner)
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
            check_data(p, seed, self.owner)
        with TakeOver("the generative network") as generative:
            trace = self.networks.run_generative(batch, seed, given=given)
        check_given(given, trace, p, self.owner)
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
            raise SiteError(not_given(needed, elsewhere, self.owner))
        return tuple(open_)


def _first(steps: Steps, seed: Seed) -> dict[str, Tensor]:
    carry, trace = run_first(steps, seed)
    found = {f"returned {i}": part for i, part in enumerate(tree.flatten(carry))}
    return found | {name: site.log_prob() for name, site in trace.sites.items() if site.is_weighed}


def _same_plates(site: Site, steps: Steps) -> bool:
    outer = [plate.name for plate in site.plates[: steps.axis]]
    return outer == [plate.name for plate in steps.plates]


def _in_plates(site: Site, steps: Steps) -> Tensor:
    log_prob = site.log_prob()
    inner = tuple(range(steps.axis, len(log_prob.shape)))
    return ops.sum(log_prob, axis=inner) if inner else log_prob


def _shapes(batch: dict) -> tuple:
    return tuple(tuple(value.shape) for value in tree.flatten(batch))
