"""Queries and predictions of a model: which networks run, on what, and how many draws at once."""

from dataclasses import dataclass

import keras
import numpy as np

from kprob import checks
from kprob.backend import random
from kprob.data import Data, batch_of, rows_of
from kprob.data.batch import repeat_rows
from kprob.distributions.wrappers import unwrapped
from kprob.effects import Trace
from kprob.engine.enumeration import conditional, num_runs
from kprob.models import programs, resampling, sampled_queries, summed_out
from kprob.models.agreement import check_rows_of_guide
from kprob.models.query_checks import default_names, number_of_draws, prepare_values, rank, require_fitted, wanted_names
from kprob.queries import Query

MAX_FOLDED_ROWS = 100_000
PREDICT_ROWS = 4096


@dataclass(frozen=True)
class Target:
    """What a query is about: hashable, so that its compiled programs are found again.

    Attributes:
        kind: "prior", "posterior" or "posterior_predictive".
        names: Sites asked for.
        size: Length of the data plate where the data has no rows.
    """

    kind: str
    names: tuple[str, ...]
    size: int


def query(model, kind: str, names, data, size: int = 1) -> Query:
    """Makes a query (see `ProbabilisticModel.prior`, `posterior` and `posterior_predictive`)."""
    single = isinstance(names, str)
    if kind != "prior" and model.sampler is not None:
        checks.check_count("size", size)
        return sampled_queries.query(model, kind, names, data, size)
    if kind != "prior":
        require_fitted(model, kind)
    prepared = model.prepare_data(data)
    checks.check_count("size", size)
    wanted = wanted_names(model, kind, names, prepared)
    if kind != "prior":
        check_rows_of_guide(model, prepared)
    target = Target(kind, tuple(wanted), size)
    batch = _batch(model, prepared)
    return Query(
        wanted,
        single,
        lambda number, seed: sample(model, target, batch, number, seed),
        lambda values, seed: log_prob(model, target, batch, values, seed),
        lambda seed: parameters(model, target, batch, seed),
        lambda: exact_moments(model, target, batch),
        resample=None if kind == "prior" else lambda *asked: resampling.sample(model, target, prepared, *asked),
        probabilities=lambda number, seed: probabilities(model, target, batch, number, seed),
        most_probable=lambda: _to_numpy(summed_out.mode(model, target, batch)),
    )


def sample(model, target: Target, batch: dict, number: int, seed) -> dict[str, np.ndarray]:
    """Draws jointly, `number` times."""
    rows = number * _num_runs(model, target) * (_static_rows(batch) or target.size)
    fold = _foldable(model, target, batch) and rows <= MAX_FOLDED_ROWS

    def program(batch, seed):
        def once(seed):
            trace = run(model, target, batch, seed)
            return {name: trace[name].value for name in target.names}

        if not fold:
            return programs.map_all(model, once, random.split(seed, number))
        trace = run(model, target, batch, seed, number)
        return {name: _unfold(trace[name], number) for name in target.names}

    return _to_numpy(programs.compiled(model, ("sample", target, number, fold), program)(batch, _seed(model, seed)))


def log_prob(model, target: Target, batch: dict, values: dict, seed) -> dict[str, np.ndarray]:
    """Returns log-densities of values by site."""
    values = prepare_values(model, target, batch, values)
    ranks = {name: rank(model, name) for name in values}
    draws = {name for name, value in values.items() if len(value.shape) == ranks[name] + 1}
    single = {name: value for name, value in values.items() if name not in draws}

    def program(batch, values, seed):
        trace = run(model, target, batch, seed, given=values)
        return {
            name: keras.ops.broadcast_to(trace[name].log_prob(), _plate_shape(trace[name])) for name in target.names
        }

    compiled = programs.compiled(model, ("log_prob", target, tuple(sorted(values))), program)
    if not draws:
        return _to_numpy(compiled(batch, single, _seed(model, seed)))
    number = number_of_draws({name: int(values[name].shape[0]) for name in draws})
    each = [
        _to_numpy(compiled(batch, {**single, **{name: values[name][i] for name in draws}}, _seed(model, seed)))
        for i in range(number)
    ]
    return {name: np.stack([found[name] for found in each]) for name in target.names}


def probabilities(model, target: Target, batch: dict, number: int, seed) -> dict[str, np.ndarray]:
    """Returns the probabilities of all values of the sites that are summed out, averaged over draws of the others."""
    summed_out.check_summed(model, target, "probs")
    number = number if model.__dict__["_spec"].latents else 1

    def program(batch, seed):
        def once(seed):
            factors = summed_out.find(model, target, batch, seed)
            found = conditional.probabilities(factors)
            return {name: found[name] for name in target.names}

        return {
            name: keras.ops.mean(p, axis=0)
            for name, p in programs.map_all(model, once, random.split(seed, number)).items()
        }

    return _to_numpy(programs.compiled(model, ("probabilities", target, number), program)(batch, _seed(model, seed)))


def parameters(model, target: Target, batch: dict, seed) -> dict[str, dict]:
    """Returns the parameters of the sites' distributions."""

    def program(batch, seed):
        trace = run(model, target, batch, seed)
        return {
            name: {} if trace[name].distribution is None else _tensors(trace[name].distribution)
            for name in target.names
        }

    return _to_numpy(programs.compiled(model, ("parameters", target), program)(batch, _seed(model, seed)))


def exact_moments(model, target: Target, batch: dict) -> dict[str, tuple]:
    """Returns mean and standard deviation of the sites whose distribution depends on nothing that is drawn.

    That is the first one drawn, and all of them where the guide's latents are independent.
    """
    if target.kind == "posterior" and hasattr(model, "guide") and model.guide.chooses:
        return {}
    trace = run(model, target, batch, random.seed(0))
    if target.kind == "posterior" and any(trace[name].is_deterministic for name in target.names):
        return {}
    independent = target.kind == "posterior" and hasattr(model, "guide") and model.guide.independent
    exact: dict[str, tuple] = {}
    for name in trace:
        site = trace[name]
        if not site.is_random or site.observed or site.intervened:
            continue
        if name in target.names:
            moments = _moments(site.distribution, keras.ops.shape(site.value))
            exact |= {} if moments is None else {name: moments}
        if not independent:
            break
    return exact


def _moments(distribution, shape) -> tuple | None:
    try:
        found = distribution.mean(), distribution.stddev()
    except (NotImplementedError, ValueError):
        return None
    return tuple(np.array(keras.ops.convert_to_numpy(keras.ops.broadcast_to(value, shape))) for value in found)


def _num_runs(model, target: Target) -> int:
    return 1 if model.networks.plan is None or target.kind == "prior" else num_runs(model.networks.plan)


def predict(model, x, *, num_samples: int, seed, batch_size: int | None):
    """Returns the posterior-predictive mean: the mean of each site's distribution, averaged over posterior draws."""
    if model.sampler is not None:
        return sampled_queries.predict(model, x, num_samples, seed)
    require_fitted(model, "predict")
    checks.check_count("num_samples", num_samples)
    data = model.prepare_data(x)
    check_rows_of_guide(model, data)
    target = Target("posterior_predictive", tuple(default_names(model, "posterior_predictive", data)), 1)
    fold = _foldable(model, target, _batch(model, data))
    folded = max(1, MAX_FOLDED_ROWS // (num_samples * _num_runs(model, target)))
    size = batch_size or (folded if fold else PREDICT_ROWS)

    def program(batch, seed):
        def once(seed):
            trace = run(model, target, batch, seed)
            return {name: _mean(trace[name]) for name in target.names}

        if not fold:
            return {
                name: keras.ops.mean(v, axis=0)
                for name, v in programs.map_all(model, once, random.split(seed, num_samples)).items()
            }
        trace = run(model, target, batch, seed, num_samples)
        return {n: keras.ops.mean(_unfold(trace[n], num_samples, _mean(trace[n])), axis=0) for n in target.names}

    compiled = programs.compiled(model, ("predict", target, num_samples, fold), program)
    parts, key = [], _seed(model, seed)
    for start in range(0, data.num_rows or 1, size):
        part = data if data.num_rows is None else data.take(slice(start, start + size))
        parts.append(_to_numpy(compiled(_batch(model, part, start), random.fold_in(key, start))))
    per_row = {n: model.structure().sites[n].in_data_plate for n in target.names}
    joined = {n: np.concatenate([p[n] for p in parts]) if per_row[n] else parts[0][n] for n in target.names}
    return joined[target.names[0]] if len(target.names) == 1 else joined


def run(model, target: Target, batch: dict, seed, num_draws: int | None = None, given: dict | None = None) -> Trace:
    """Runs the networks that a query is about, once, and returns the trace that has its sites."""
    networks = model.networks
    if num_draws is not None and rows_of(batch) is not None:
        batch = repeat_rows(batch, num_draws)
    size = target.size
    if target.kind == "prior":
        return networks.run_generative(batch, seed, None, num_draws, size, given=given)
    first, second = random.fold_in(seed, 0), random.fold_in(seed, 1)
    latents = networks.run_inference(batch, first, num_draws, size, given=given)
    if summed_out.needed(model, target):
        given = summed_out.complete(model, target, batch, seed, latents, num_draws, size, given or {})
    if target.kind == "posterior" and all(name in latents for name in target.names):
        return latents
    # What follows from latents is the generative network's.
    return networks.run_generative(batch, second, latents, num_draws, size, given=given, unobserved=target.names)


def _batch(model, data: Data, start: int = 0) -> dict:
    # Only a guide with parameters per row wants to know which rows these are, and it knows no other rows than the fit's.
    spec = model.__dict__["_spec"]
    if spec is None or not hasattr(model, "guide") or not model.guide.has_rows:
        return batch_of(data, with_index=False)
    if data.num_rows is None:
        data = Data(data.rows, data.whole, spec.num_data)
    batch = batch_of(data)
    batch["index"] = batch["index"] + start
    return batch


def _foldable(model, target: Target, batch: dict) -> bool:
    # Draws may share a run where everything that is drawn has a value per row.
    given = {*batch["rows"], *batch["whole"]}
    sites = model.structure().sites
    drawn = [s for s in sites.values() if s.is_random and (s.name not in given or s.name in target.names)]
    return bool(drawn) and not model.run_eagerly and all(site.in_data_plate for site in drawn)


def _unfold(site, number: int, value=None):
    value = site.value if value is None else value
    shape = keras.ops.shape(value)
    if not site.in_data_plate:
        return keras.ops.broadcast_to(value, (number, *shape))
    return keras.ops.reshape(value, (number, shape[0] // number, *shape[1:]))


def _mean(site):
    if not site.is_random:
        return site.value
    try:
        mean = site.distribution.mean()
    except NotImplementedError:
        mean = site.value
    return keras.ops.broadcast_to(keras.ops.cast(mean, "float32"), keras.ops.shape(site.value))


def _plate_shape(site) -> tuple:
    return tuple(plate.size for plate in site.plates)


def _tensors(distribution) -> dict:
    found: dict = {}
    for name, value in unwrapped(distribution, samples=True).parameters.items():
        if name == "distribution":
            found |= _tensors(value)
        elif hasattr(value, "shape") and hasattr(value, "dtype"):
            found[name] = value
        elif isinstance(value, float | int) and not isinstance(value, bool):
            found[name] = keras.ops.convert_to_tensor(value, dtype="float32")
    return found


def _static_rows(batch: dict) -> int | None:
    rows = rows_of(batch)
    return None if rows is None else checks.known_size(rows)


def _seed(model, seed):
    if seed is not None:
        checks.check_count("seed", seed, 0)
    return random.from_generator(model.seed_generator) if seed is None else random.seed(seed)


def _to_numpy(found):
    return keras.tree.map_structure(lambda value: np.array(keras.ops.convert_to_numpy(value)), found)
