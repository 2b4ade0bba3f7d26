"""The particle filter of a model: its networks are run once to find their `scan`, then the filter runs along the steps.

What the networks declare before the scan are the particles' beginnings, where the steps themselves don't depend on it: it is
drawn once for each particle. What they do depend on (a parameter with a prior) must be given.
"""

from collections.abc import Callable, Mapping

import keras
import numpy as np

from kprob.backend import compile_function, find_influences, map_draws, random, training
from kprob.checks import check_count
from kprob.effects import Handler, Site, Steps, Trace
from kprob.engine import batch_of
from kprob.errors import DataError, KprobError, MismatchError, SiteError, did_you_mean, explain, names
from kprob.mcmc.particle_filter import Particles, Step, filter_particles, normalise
from kprob.mcmc.resampling import SCHEMES
from kprob.models import building, weighing
from kprob.models.filtered import Filtered, make_filtered
from kprob.models.owner import owner_of
from kprob.types import Seed, Tensor

ops, tree = keras.ops, keras.tree
PROPOSALS = ("generative", "inference")


class TakeOver(Handler):
    """Takes the scan of a network over: keeps it, and returns numbers of the right shape in its place.

    Args:
        of: Which network, for messages.
    """

    def __init__(self, of: str):
        super().__init__()
        self.of = of
        self.steps: Steps | None = None
        self.before: list[Site] = []

    def on_site(self, site: Site) -> None:
        if site.kind == "scan":
            site.value = self._take

    def after_site(self, site: Site) -> None:
        if site.kind not in ("sample", "factor") or site.intervened:
            return
        if self.steps is not None:
            raise SiteError(
                explain(
                    f"`{site.name}` is declared after the scan `{self.steps.name}`, and a particle filter can't weigh it.",
                    received=f"`{site.name}` in {self.of}, outside the steps",
                    expected="all that depends on the steps inside them: then each step is weighed by its own data",
                    fix=f"declare `{site.name}` in the function that is scanned",
                )
            )
        self.before.append(site)

    def _take(self, steps: Steps):
        if self.steps is not None:
            raise SiteError(
                explain(
                    f"A particle filter goes along one scan, and {self.of} has two.",
                    received=f"`{self.steps.name}` and `{steps.name}`",
                    expected="one `kprob.scan`",
                    fix="put both into one step, which returns both of their states",
                )
            )
        self.steps = steps
        return steps.carry


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
    _check(num_particles, proposal, resampling, ess_threshold)
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
            q = _require_scan(inference, self.owner)
            for site in inference.before:
                drawn.add(whole[site.name])
        with TakeOver("the generative network") as generative:
            trace = self.networks.run_generative(batch, random.fold_in(seed, 1), drawn, given=values)
        p = _require_scan(generative, self.owner)
        sizes = tuple(plate.size for plate in p.plates)
        log_weights = ops.zeros(sizes)
        for site in generative.before:
            if site.observed and _same_plates(site, p):
                log_weights = log_weights + _in_plates(site, p)
            elif site.name in drawn and site.name not in given:
                log_weights = log_weights + _in_plates(trace[site.name], p) - _in_plates(drawn[site.name], p)
        if q is not None:
            _check_scans(p, q)
        return p, q, log_weights

    def check(self, batch: dict, given: dict) -> tuple[str, ...]:
        """Returns the latents that each particle begins with.

        Raises:
            SiteError: The steps depend on a latent that isn't given, or a latent isn't of the particles' plates.
        """
        seed = random.seed(0)
        p, _, _ = self.run(batch, seed, given)
        with self.networks.store():
            _check_data(p, seed, self.owner)
        with TakeOver("the generative network") as generative:
            trace = self.networks.run_generative(batch, seed, given=given)
        _check_given(given, trace, p, self.owner)
        open_ = {s.name: s for s in generative.before if s.kind == "sample" and not s.observed and s.name not in given}
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
            raise SiteError(_not_given(needed, elsewhere, self.owner))
        return tuple(open_)


def _run_first(steps: Steps, seed: Seed) -> tuple:
    # The first step with a past that nothing has an influence on.
    def cut(value: Tensor) -> Tensor:
        return ops.take(value, ops.arange(1), axis=steps.axis)

    past = tree.map_structure(ops.zeros_like, steps.start)
    x, known = tree.map_structure(cut, steps.xs), tree.map_structure(cut, steps.known)
    return steps.run(past, x, known, seed)


def _first(steps: Steps, seed: Seed) -> dict[str, Tensor]:
    carry, trace = _run_first(steps, seed)
    found = {f"returned {i}": part for i, part in enumerate(tree.flatten(carry))}
    return found | {name: site.log_prob() for name, site in trace.sites.items() if site.kind in ("sample", "factor")}


def _require_scan(network: TakeOver, owner: str) -> Steps:
    if network.steps is None:
        raise SiteError(
            explain(
                f"A particle filter goes along the steps of a scan, and {network.of} of {owner} has none.",
                received=f"a network with {names(site.name for site in network.before)}",
                expected="a network that declares its steps by `kprob.scan`",
                fix="write kprob.scan(step, initial, xs); a filter that needs no inference network has "
                'proposal="generative"',
            )
        )
    return network.steps


def _check_data(steps: Steps, seed: Seed, owner: str) -> None:
    if steps.known or any(site.kind == "factor" for site in _run_first(steps, seed)[1].sites.values()):
        return
    raise DataError(
        explain(
            f"A particle filter weighs particles by data, and nothing in the steps of {owner} is observed.",
            received=f"no values of {names(steps.missing)}",
            expected="data for what is observed at each step",
            fix=f'write particle_filter({{"{steps.missing[-1] if steps.missing else "y"}": values}})',
        )
    )


def _check_scans(p: Steps, q: Steps) -> None:
    places = [tuple(plate.name for plate in steps.plates) for steps in (p, q)]
    if places[0] != places[1] or p.length != q.length:
        raise MismatchError(
            explain(
                "The scans of the two networks don't go side by side.",
                received=f"{q.length} steps in plates {names(places[1])} in the inference network",
                expected=f"{p.length} steps in plates {names(places[0])}, as in the generative network",
                fix="scan as many steps in the same plates",
            )
        )
    unknown = [name for name in q.missing if name not in p.missing]
    if unknown:
        raise MismatchError(
            explain(
                f"The inference network's steps draw `{unknown[0]}`, and the generative network's don't.",
                received=names(unknown),
                expected=f"some of {names(p.missing)}",
                fix="give both the same name",
            )
        )


def _check_given(given: dict, trace: Trace, p: Steps, owner: str) -> None:
    known = [*(site.name for site in trace.random_sites(observed=False)), *p.missing, *p.known]
    for name in given:
        if name not in known:
            raise DataError(
                explain(
                    f"`given` has a value for `{name}`, which is no latent of {owner}.{did_you_mean(name, known)}",
                    received=names(given),
                    expected=f"some of {names(dict.fromkeys(known))}",
                    fix="correct the name, or leave it out",
                )
            )


def _not_given(needed: list[str], elsewhere: list[str], owner: str) -> str:
    if not needed:
        return explain(
            f"`{elsewhere[0]}` of {owner} is observed outside the plates of the scan, so that no step is weighed by it.",
            received=names(elsewhere),
            expected="observations in the steps, or before them in the same plates",
            fix="filter a model without it",
        )
    return explain(
        f"The steps of {owner} depend on {names(needed)}, which a particle filter holds fixed.",
        received="no value",
        expected=f"values of {names(needed)}: a filter's likelihood is that of the data given them",
        fix=f'write particle_filter(..., given={{"{needed[0]}": value}}), with a draw or the mean of a posterior',
    )


def _same_plates(site: Site, steps: Steps) -> bool:
    outer = [plate.name for plate in site.plates[: steps.axis]]
    return outer == [plate.name for plate in steps.plates]


def _in_plates(site: Site, steps: Steps) -> Tensor:
    log_prob = site.log_prob()
    inner = tuple(range(steps.axis, len(log_prob.shape)))
    return ops.sum(log_prob, axis=inner) if inner else log_prob


def _shapes(batch: dict) -> tuple:
    return tuple(tuple(value.shape) for value in tree.flatten(batch))


def _check(num_particles: int, proposal: str, resampling: str, ess_threshold: float) -> None:
    check_count("num_particles", num_particles, 2)
    for name, value, choices in (("proposal", proposal, PROPOSALS), ("resampling", resampling, SCHEMES)):
        if value not in choices:
            raise KprobError(
                explain(
                    f"`{name}` of a particle filter is one of {len(choices)} words.",
                    received=repr(value),
                    expected=names(choices),
                    fix=f'write {name}="{choices[0]}"',
                )
            )
    if not 0.0 <= ess_threshold <= 1.0:
        raise KprobError(
            explain(
                "`ess_threshold` is the share of the particles below which they are drawn anew.",
                received=repr(ess_threshold),
                expected="a number from 0, never, to 1, at each step",
                fix="write ess_threshold=0.5",
            )
        )
