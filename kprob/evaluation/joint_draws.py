"""Draws of the posterior with all that belongs to them: what follows from the latents, the log-density of each datum given
them, and new observations.

A sampler's draws are gone through as they are; else q is drawn from.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from kprob.backend import map_draws, random
from kprob.backend.seeds import seed_of
from kprob.data import Data, batch_of
from kprob.effects import Trace
from kprob.engine import Networks, find_structure
from kprob.engine.queried_data import prepare_queried_data
from kprob.errors import DataError, explain, names
from kprob.numerics import to_numpy
from kprob.options import check_optional_count
from kprob.queries.draws_query import check_rows
from kprob.queries.importance_weights import weighable_data
from kprob.samplers.chains.draws import Draws
from kprob.types import Seed

NUM_SAMPLES = 1000


@dataclass(frozen=True)
class JointDraws:
    """Draws by site; draws lead: (S, ...).

    Attributes:
        posterior: Latents and what follows from them.
        log_likelihood: Log-density of each datum given the latents, by observed site, (S, *plates).
        predictive: New observations.
        statistics: log p(x, z), and log q(z) where there is a q.
        num_chains: Into how many chains the draws fall, one after the other.
    """

    posterior: dict[str, np.ndarray]
    log_likelihood: dict[str, np.ndarray]
    predictive: dict[str, np.ndarray]
    statistics: dict[str, np.ndarray] = field(default_factory=dict)
    num_chains: int = 1


def draw_jointly(
    networks: Networks, draws: Draws | None, data: Data, number: int | None, seed: Seed, predictive: bool = True
) -> JointDraws:
    """Draws jointly.

    Args:
        networks: The networks of a fitted model.
        draws: A sampler's draws; None for draws of q.
        data: The data: what is observed, and covariates.
        number: Draws of q; of a sampler's draws, as many spread evenly over them. All of them, or 1,000 of q, if None.
        seed: A seed of `kprob.backend.random`.
        predictive: Whether new observations are wanted too.
    """
    check_optional_count("num_samples", number)
    with networks.precision():
        return _draw_jointly(networks, draws, data, number, seed, predictive)


def _draw_jointly(
    networks: Networks, draws: Draws | None, data: Data, number: int | None, seed: Seed, predictive: bool
) -> JointDraws:
    observed = tuple(n for n in find_structure(networks).random_sites() if n in {*data.rows, *data.whole})
    if draws is None:
        each, values = random.split(seed, number or NUM_SAMPLES), {}
        chains = 1
    else:
        check_rows(networks, draws, data)
        chosen = _spread(draws.num_draws, number, draws.num_chains)
        values = {
            name: keras.ops.convert_to_tensor(value[:, chosen].reshape(-1, *value.shape[2:]))
            for name, value in draws.values.items()
        }
        chains = draws.num_chains
        each = random.split(seed, chains * len(chosen))
    latents = tuple(values) or networks.require_spec().latents
    key = ("joint", latents, observed, predictive)
    program = networks.programs.compiled(key, _program(networks, latents, observed, predictive))
    batch = batch_of(data, with_index=draws is None)
    return JointDraws(**to_numpy(program(batch, each, values)), num_chains=chains)


def _spread(number: int, wanted: int | None, chains: int) -> np.ndarray:
    # As many of each chain.
    if wanted is None or wanted >= number * chains:
        return np.arange(number)
    return np.unique(np.linspace(0, number - 1, max(1, wanted // chains)).round().astype(int))


def _program(networks: Networks, latents: tuple, observed: tuple, predictive: bool) -> Callable:
    def once(draw: dict) -> dict:
        batch, seed = draw["batch"], draw["seed"]
        q = None if draw["values"] else networks.trained_part(networks.run_inference(batch, random.fold_in(seed, 0)))
        p = networks.run_generative(batch, random.fold_in(seed, 1), q, given=draw["values"])
        statistics = {"lp": p.log_prob()} | ({} if q is None else {"log_q": q.log_prob()})
        new: dict = {}
        if predictive:
            again = networks.run_generative(
                batch, random.fold_in(seed, 2), q, given=draw["values"], unobserved=observed
            )
            new = {name: again[name].value for name in observed}
        return {
            "posterior": {name: p[name].value for name in (*latents, *_following(p))},
            "log_likelihood": {name: p[name].log_prob_of_elements() for name in observed},
            "predictive": new,
            "statistics": statistics,
        }

    def program(batch: dict, seeds: Seed, values: dict) -> dict:
        draws = {"seed": seeds, "values": values}
        return map_draws(lambda draw: once({**draw, "batch": batch}), draws, networks.variables())

    return program


def _following(trace: Trace) -> list[str]:
    return [site.name for site in trace.sites.values() if site.is_deterministic]


def log_likelihood(
    networks: Networks, draws: Draws | None, x: Any, num_samples: int | None, seed: int | None
) -> np.ndarray | dict[str, np.ndarray]:
    """Returns the log-density of each datum given each posterior draw: log p(x_i | latents of the draw).

    Args:
        networks: The networks of a fitted model.
        draws: A sampler's draws; None for draws of q.
        x: What is observed, and covariates.
        num_samples: Draws.
        seed: Makes the result repeatable.
    """
    data = data_of_draws(networks, draws, "log_likelihood", x)
    key = seed_of(seed, networks.host.seed_generator)
    densities = draw_jointly(networks, draws, data, num_samples, key, predictive=False).log_likelihood
    if not densities:
        raise DataError(
            explain(
                f"`log_likelihood` of {networks.model_name} needs observed values.",
                received=f"data for {names([*data.rows, *data.whole])}",
                expected=f"values of one of {names(find_structure(networks).random_sites())}",
                fix="pass the data that the model was fitted to, or new data",
            )
        )
    return next(iter(densities.values())) if len(densities) == 1 else densities


def data_of_draws(networks: Networks, draws: Draws | None, verb: str, x: Any) -> Data:
    """Returns checked data, of a model that was fitted.

    Raises:
        KprobError: The model isn't fitted, or the data doesn't fit it.
    """
    if draws is None:
        return weighable_data(networks, verb, x)
    with networks.precision():
        return prepare_queried_data(networks, x)
