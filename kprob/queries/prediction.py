"""`model.predict` of an inference network: the posterior-predictive mean."""

from typing import Any

import keras
import numpy as np

from kprob import checks
from kprob.backend import random
from kprob.backend.seeds import seed_of
from kprob.data.batch import MAX_FOLDED_ROWS
from kprob.effects import Site
from kprob.engine import Networks, find_structure
from kprob.engine.checking.agreement import check_batches_of_rows, check_same_rows, rows_at_a_time
from kprob.engine.queried_data import prepare_queried_data
from kprob.numerics import to_numpy
from kprob.options import check_optional_count
from kprob.queries.checks import default_names, require_fitted
from kprob.queries.inference_query import InferenceQuery
from kprob.queries.network_query import unfold
from kprob.queries.target import Target
from kprob.types import Seed, Tensor

PREDICT_ROWS = 4096


def predict(
    networks: Networks, x: Any, num_samples: int, seed: int | None, batch_size: int | None
) -> np.ndarray | dict[str, np.ndarray]:
    """Returns the posterior-predictive mean: the mean of each site's distribution, averaged over posterior draws.

    Args:
        networks: A fitted model's networks.
        x: Data by name.
        num_samples: Posterior draws.
        seed: Makes the result repeatable.
        batch_size: Rows at a time.
    """
    require_fitted(networks, "predict")
    checks.check_count("num_samples", num_samples)
    check_optional_count("batch_size", batch_size)
    data = prepare_queried_data(networks, x)
    check_same_rows(networks, data)
    names = tuple(default_names(networks, "posterior_predictive", data))
    query = InferenceQuery(networks, Target("posterior_predictive", names, 1), data)
    fold = query.can_fold(query.batch)
    folded = max(1, MAX_FOLDED_ROWS // (num_samples * query.runs_per_draw()))
    size = batch_size or (folded if fold else rows_at_a_time(networks, data.num_rows, PREDICT_ROWS))
    check_batches_of_rows(networks, data.num_rows, size)
    target, run = query.target, query.run

    def program(batch: dict, seed: Seed) -> dict:
        def once(seed: Seed) -> dict:
            trace = run(networks, target, batch, seed)
            return {name: _mean(trace[name]) for name in names}

        if not fold:
            each = networks.map_draws(once, random.split(seed, num_samples))
            return {name: keras.ops.mean(v, axis=0) for name, v in each.items()}
        trace = run(networks, target, batch, seed, num_samples)
        return {n: keras.ops.mean(unfold(trace[n], num_samples, _mean(trace[n])), axis=0) for n in names}

    compiled = networks.programs.compiled(("predict", target, num_samples, fold), program)
    parts, key = [], seed_of(seed, networks.host.seed_generator)
    for start in range(0, data.num_rows or 1, size):
        part = data if data.num_rows is None else data.take(slice(start, start + size))
        parts.append(to_numpy(compiled(query.batch_of(part, start), random.fold_in(key, start))))
    sites = find_structure(networks).sites
    means = {n: np.concatenate([p[n] for p in parts]) if sites[n].in_data_plate else parts[0][n] for n in names}
    return means[names[0]] if len(names) == 1 else means


def _mean(site: Site) -> Tensor:
    if not site.is_random:
        return site.value
    try:
        mean = site.distribution.mean()
    except NotImplementedError:
        mean = site.value
    return keras.ops.broadcast_to(keras.ops.cast(mean, "float32"), keras.ops.shape(site.value))
