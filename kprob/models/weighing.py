"""Importance weights: draws of q, each with log p(x, z) − log q(z).

Where every site is inside the data plate, rows are independent and each has weights of its own; else a draw has one weight.
Everything that is said of a fit's quality, and the evidence, is made of these numbers.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import keras
import numpy as np

from kprob import checks
from kprob.backend import random
from kprob.data import Data, batch_of
from kprob.effects import Trace
from kprob.engine.enumeration import num_runs
from kprob.engine.networks import repeat_rows
from kprob.errors import DataError, SiteError, explain, names
from kprob.models.agreement import check_rows_of_guide
from kprob.models.programs import compiled, map_all
from kprob.models.query_checks import require_fitted

MAX_FOLDED_ROWS = 100_000


@dataclass(frozen=True)
class Weighed:
    """Draws of q with their weights.

    Attributes:
        log_weights: log p − log q of each draw, shape (S,), or (S, B) where each row has its own.
        log_likelihood: log p of what is observed, of the same shape.
        values: Values of sites that were asked for, draws leading.
    """

    log_weights: np.ndarray
    log_likelihood: np.ndarray
    values: dict[str, np.ndarray] = field(default_factory=dict)


def prepare(model, verb: str, x) -> Data:
    """Returns the data that draws are weighed by.

    Raises:
        KprobError: The model isn't fitted, or the data doesn't fit it.
    """
    require_fitted(model, verb)
    data = model.prepare_data(x)
    check_rows_of_guide(model, data)
    if data.num_rows is None and model.structure().has_data_plate and getattr(model, "guide", None) is not None:
        if model.guide.has_rows:
            data = Data(data.rows, data.whole, model.__dict__["_spec"].num_data)
    return data


def has_rows(model) -> bool:
    """Whether each row of the data has weights of its own: nothing random is outside the data plate."""
    sites = [site for site in model.structure().sites.values() if site.is_weighed]
    return model.__dict__["_spec"].foldable and not model.run_eagerly and all(site.in_data_plate for site in sites)


def weigh(
    model,
    data: Data,
    num_samples: int,
    seed,
    sites: Iterable[str] = (),
    predicted: Iterable[str] = (),
    rows: np.ndarray | None = None,
) -> Weighed:
    """Draws from q and weighs the draws.

    Args:
        model: A built model.
        data: The data, with all that is observed.
        num_samples: Number of draws.
        seed: A seed of `kprob.backend.random`.
        sites: Latents whose values are wanted.
        predicted: Sites of p that are to be drawn given the latents, even where the data has them.
        rows: Which rows of the fit's data `data` has, where not all: only where each row has its own weights.
    """
    wanted = tuple(sites), tuple(predicted)
    if not has_rows(model):
        program = compiled(model, ("weigh", num_samples, *wanted), _one_by_one(model, num_samples, *wanted))
        return Weighed(**_to_numpy(program(batch_of(data), seed)))
    program = compiled(model, ("weigh rows", num_samples, *wanted), _folded(model, num_samples, *wanted))
    parts = []
    for start, batch in parts_of(data, max(1, MAX_FOLDED_ROWS // (num_samples * runs_of(model))), rows):
        parts.append(_to_numpy(program(batch, random.fold_in(seed, start))))
    return Weighed(**keras.tree.map_structure(lambda *each: np.concatenate(each, axis=1), *parts))


def runs_of(model) -> int:
    """Returns how often the generative network runs for one draw: once for each value of what is summed out."""
    plan = model.networks.plan
    return 1 if plan is None else num_runs(plan)


def parts_of(data: Data, size: int, rows: np.ndarray | None = None) -> Iterator[tuple[int, dict]]:
    """Yields the first row and the batch of each part of a data set.

    Args:
        data: The data.
        size: Rows of a part; the last one may be shorter.
        rows: Which rows of the fit's data these are, where not all.
    """
    number = data.num_rows or 1
    for start in range(0, number, size):
        stop = min(start + size, number)
        part = data if data.num_rows is None else data.take(slice(start, stop))
        batch = batch_of(part, data.num_rows)
        if "index" in batch:
            chosen = np.arange(start, stop) if rows is None else rows[start:stop]
            batch["index"] = keras.ops.convert_to_tensor(chosen.astype("int32"))
        yield start, batch


def _folded(model, number: int, sites: tuple, predicted: tuple) -> Callable:
    def program(batch, seed):
        networks = model.networks
        p, q = networks.pair(batch, seed, number)
        require_observed(p, q, networks.owner)
        found = {name: _unfold(q[name].value, number) for name in sites}
        if predicted:
            again = _predictive(networks, repeat_rows(batch, number), seed, q, predicted, number)
            found |= {name: _unfold(again[name].value, number) for name in predicted}
        likelihood = _observed(p, q)
        return {
            "log_weights": p.log_prob_rows() - q.log_prob_rows(),
            "log_likelihood": p.log_prob_rows(likelihood) + keras.ops.zeros((number, 1)),
            "values": found,
        }

    return program


def _one_by_one(model, number: int, sites: tuple, predicted: tuple) -> Callable:
    def program(batch, seed):
        def once(seed):
            networks = model.networks
            p, q = networks.pair(batch, seed)
            require_observed(p, q, networks.owner)
            found = {name: q[name].value for name in sites}
            if predicted:
                again = _predictive(networks, batch, seed, q, predicted, None)
                found |= {name: again[name].value for name in predicted}
            weights = p.log_prob() - q.log_prob()
            return {"log_weights": weights, "log_likelihood": p.log_prob(_observed(p, q)), "values": found}

        return map_all(model, once, random.split(seed, number))

    return program


def _predictive(networks, batch: dict, seed, q: Trace, predicted: tuple, number: int | None) -> Trace:
    again = random.fold_in(seed, 2)
    return networks.run_generative(batch, again, q, number, unobserved=predicted)


def _observed(p: Trace, q: Trace) -> list[str]:
    return [site.name for site in p.weighed_sites() if site.name not in q]


def require_observed(p: Trace, q: Trace, owner: str) -> None:
    """Raises where a site of p has neither data nor a draw of q: its value would be noise in the weights."""
    missing = [site.name for site in p.random_sites(observed=False) if site.name not in q]
    if missing:
        raise DataError(
            explain(
                f"Draws of {owner} are weighed by all of its data, and `{missing[0]}` isn't there.",
                received=f"no values of {names(missing)}",
                expected="values of every observed site",
                fix=f'add them to the data: {{"{missing[0]}": values, ...}}',
            )
        )


def seed_of(model, seed: int | None):
    """Returns the seed that an int stands for, or the next of the model's own."""
    if seed is None:
        return random.from_generator(model.seed_generator)
    checks.check_count("seed", seed, 0)
    return random.seed(seed)


def check_latents(model, sites: Iterable[str]) -> None:
    """Raises where draws of a site can't be weighed: q doesn't draw it."""
    latents = model.__dict__["_spec"].latents
    missing = [name for name in sites if name not in latents]
    if missing:
        raise SiteError(
            explain(
                f"`importance_resample` takes draws of q, and q doesn't draw `{missing[0]}`.",
                received=names(missing),
                expected=names(latents),
                fix="ask for the latents of the inference network",
            )
        )


def _unfold(value, number: int):
    shape = keras.ops.shape(value)
    return keras.ops.reshape(value, (number, shape[0] // number, *shape[1:]))


def _to_numpy(found):
    return keras.tree.map_structure(lambda value: np.array(keras.ops.convert_to_numpy(value)), found)
