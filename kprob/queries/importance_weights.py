"""Importance weights: draws of q, each with log p(x, z) − log q(z).

Where every site is inside the data plate, rows are independent and each has weights of its own; else a draw has one weight.
Everything that is said of a fit's quality, and the evidence, is made of these numbers.
"""

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from kprob.backend import random
from kprob.data import Data, batch_of, batches_of
from kprob.data.batch import MAX_FOLDED_ROWS, repeat_rows
from kprob.effects import Trace
from kprob.engine import Networks, find_structure
from kprob.engine.checking.agreement import check_same_rows
from kprob.engine.enumeration import num_runs
from kprob.engine.queried_data import prepare_queried_data
from kprob.errors import DataError, SiteError, explain, names
from kprob.numerics import to_numpy
from kprob.queries.checks import require_fitted
from kprob.types import Seed, Tensor


@dataclass(frozen=True)
class WeightedDraws:
    """Draws of q with their weights.

    Attributes:
        log_weights: log p − log q of each draw, shape (S,), or (S, B) where each row has its own.
        log_likelihood: log p of what is observed, of the same shape.
        values: Values of sites that were asked for, draws leading.
    """

    log_weights: np.ndarray
    log_likelihood: np.ndarray
    values: dict[str, np.ndarray] = field(default_factory=dict)


def weighable_data(networks: Networks, verb: str, x: Any) -> Data:
    """Returns the data that draws are weighed by.

    Raises:
        KprobError: The model isn't fitted, or the data doesn't fit it.
    """
    require_fitted(networks, verb)
    data = prepare_queried_data(networks, x)
    check_same_rows(networks, data)
    guide = networks.guide
    if data.num_rows is None and guide is not None and guide.has_rows and find_structure(networks).has_data_plate:
        data = Data(data.rows, data.whole, networks.require_spec().num_data)
    return data


def has_row_weights(networks: Networks) -> bool:
    """Whether each row of the data has weights of its own: nothing random is outside the data plate, and no row looks at
    others.
    """
    sites = [site for site in find_structure(networks).sites.values() if site.is_weighed]
    local = networks.require_spec().local and not networks.run_eagerly
    return local and networks.coupling.across_rows is None and all(site.in_data_plate for site in sites)


def weigh(
    networks: Networks,
    data: Data,
    num_samples: int,
    seed: Seed,
    sites: Iterable[str] = (),
    predicted: Iterable[str] = (),
    rows: np.ndarray | None = None,
) -> WeightedDraws:
    """Draws from q and weighs the draws.

    Args:
        networks: The networks of a built model.
        data: The data, with all that is observed.
        num_samples: Number of draws.
        seed: A seed of `kprob.backend.random`.
        sites: Latents whose values are wanted.
        predicted: Sites of p that are to be drawn given the latents, even where the data has them.
        rows: Which rows of the fit's data `data` has, where not all: only where each row has its own weights.
    """
    wanted = tuple(sites), tuple(predicted)
    if not has_row_weights(networks):
        program = networks.programs.compiled(
            ("weigh", num_samples, *wanted), _one_by_one(networks, num_samples, *wanted, by_row=False)
        )
        return WeightedDraws(**to_numpy(program(batch_of(data), seed)))
    folding = networks.folding
    make = _folded if folding is not None and folding.of_both else functools.partial(_one_by_one, by_row=True)
    program = networks.programs.compiled(("weigh rows", num_samples, *wanted), make(networks, num_samples, *wanted))
    size = max(1, MAX_FOLDED_ROWS // (num_samples * runs_of(networks)))
    batches = batches_of(data, size, data.num_rows, rows)
    parts = [to_numpy(program(batch, random.fold_in(seed, i * size))) for i, batch in enumerate(batches)]
    return WeightedDraws(**keras.tree.map_structure(lambda *each: np.concatenate(each, axis=1), *parts))


def runs_of(networks: Networks) -> int:
    """Returns how often the generative network runs for one draw: once for each value of what is summed out."""
    plan = networks.plan
    return 1 if plan is None else num_runs(plan)


def _folded(networks: Networks, number: int, sites: tuple, predicted: tuple) -> Callable:
    def program(batch: dict, seed: Seed) -> dict:
        p, q = networks.pair(batch, seed, number)
        require_observed(p, q, networks.model_name)
        values = {name: _unfold(q[name].value, number) for name in sites}
        if predicted:
            again = _predictive(networks, repeat_rows(batch, number), seed, q, predicted, number)
            values |= {name: _unfold(again[name].value, number) for name in predicted}
        likelihood = _observed(p, q)
        return {
            "log_weights": p.log_prob_rows() - q.log_prob_rows(),
            "log_likelihood": p.log_prob_rows(likelihood) + keras.ops.zeros((number, 1)),
            "values": values,
        }

    return program


def _one_by_one(networks: Networks, number: int, sites: tuple, predicted: tuple, by_row: bool) -> Callable:
    def program(batch: dict, seed: Seed) -> dict:
        def once(seed: Seed) -> dict:
            p, q = networks.pair(batch, seed)
            require_observed(p, q, networks.model_name)
            values = {name: q[name].value for name in sites}
            if predicted:
                again = _predictive(networks, batch, seed, q, predicted, None)
                values |= {name: again[name].value for name in predicted}
            likelihood = p.log_prob_rows(_observed(p, q)) if by_row else p.log_prob(_observed(p, q))
            weights = p.log_prob_rows() - q.log_prob_rows() if by_row else p.log_prob() - q.log_prob()
            return {
                "log_weights": weights,
                "log_likelihood": likelihood + keras.ops.zeros_like(weights),
                "values": values,
            }

        return networks.map_draws(once, random.split(seed, number))

    return program


def _predictive(networks: Networks, batch: dict, seed: Seed, q: Trace, predicted: tuple, number: int | None) -> Trace:
    again = random.fold_in(seed, 2)
    return networks.run_generative(batch, again, q, number, unobserved=predicted)


def _observed(p: Trace, q: Trace) -> list[str]:
    return [site.name for site in p.weighed_sites() if site.name not in q]


def require_observed(p: Trace, q: Trace, model_name: str) -> None:
    """Raises where a site of p has neither data nor a draw of q: its value would be noise in the weights."""
    missing = [site.name for site in p.random_sites(observed=False) if site.name not in q]
    if missing:
        raise DataError(
            explain(
                f"Draws of {model_name} are weighed by all of its data, and `{missing[0]}` isn't there.",
                received=f"no values of {names(missing)}",
                expected="values of every observed site",
                fix=f'add them to the data: {{"{missing[0]}": values, ...}}',
            )
        )


def check_latents(networks: Networks, sites: Iterable[str]) -> None:
    """Raises where draws of a site can't be weighed: q doesn't draw it."""
    latents = networks.require_spec().latents
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


def _unfold(value: Tensor, number: int) -> Tensor:
    shape = keras.ops.shape(value)
    return keras.ops.reshape(value, (number, shape[0] // number, *shape[1:]))
