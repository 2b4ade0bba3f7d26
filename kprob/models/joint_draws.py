"""Draws of the posterior with all that belongs to them: what follows from the latents, the log-density of each datum given
them, and new observations.

A sampler's draws are gone through as they are; else q is drawn from.
"""

from dataclasses import dataclass, field

import keras
import numpy as np

from kprob.backend import map_draws, random
from kprob.data import Data, batch_of
from kprob.effects import Site, Trace
from kprob.errors import DataError, explain, names
from kprob.models import weighing
from kprob.models.drawn import require_draws
from kprob.models.owner import owner_of
from kprob.models.precision import in_precision
from kprob.models.programs import compiled
from kprob.models.sampled_queries import check_rows

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


def draw(model, data: Data, number: int | None, seed, predictive: bool = True) -> JointDraws:
    """Draws jointly.

    Args:
        model: A fitted model.
        data: The data: what is observed, and covariates.
        number: Draws of q; of a sampler's draws, as many spread evenly over them. All of them, or 1,000 of q, if None.
        seed: A seed of `kprob.backend.random`.
        predictive: Whether new observations are wanted too.
    """
    with in_precision(model):
        return _draw(model, data, number, seed, predictive)


def _draw(model, data: Data, number: int | None, seed, predictive: bool) -> JointDraws:
    observed = tuple(n for n in model.structure().random_sites() if n in {*data.rows, *data.whole})
    if model.sampler is None:
        each, values = random.split(seed, number or NUM_SAMPLES), {}
        chains = 1
    else:
        draws = require_draws(model)
        check_rows(model, draws, data)
        chosen = _spread(draws.num_draws, number, draws.num_chains)
        values = {
            name: keras.ops.convert_to_tensor(value[:, chosen].reshape(-1, *value.shape[2:]))
            for name, value in draws.values.items()
        }
        chains = draws.num_chains
        each = random.split(seed, chains * len(chosen))
    latents = tuple(values) or tuple(model.__dict__["_spec"].latents)
    key = ("joint", latents, observed, predictive)
    program = compiled(model, key, _program(model, latents, observed, predictive))
    batch = batch_of(data) if model.sampler is None else batch_of(data, with_index=False)
    found = keras.tree.map_structure(lambda v: np.array(keras.ops.convert_to_numpy(v)), program(batch, each, values))
    return JointDraws(**found, num_chains=chains)


def _spread(number: int, wanted: int | None, chains: int) -> np.ndarray:
    # As many of each chain.
    if wanted is None or wanted >= number * chains:
        return np.arange(number)
    return np.unique(np.linspace(0, number - 1, max(1, wanted // chains)).round().astype(int))


def _program(model, latents: tuple, observed: tuple, predictive: bool):
    def once(draw):
        networks, batch, seed = model.networks, draw["batch"], draw["seed"]
        q = None if draw["values"] else networks.run_inference(batch, random.fold_in(seed, 0))
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
            "log_likelihood": {name: pointwise(p[name]) for name in observed},
            "predictive": new,
            "statistics": statistics,
        }

    def program(batch, seeds, values):
        return map_draws(
            lambda draw: once({**draw, "batch": batch}), {"seed": seeds, "values": values}, model.variables
        )

    return program


def _following(trace: Trace) -> list[str]:
    return [site.name for site in trace.sites.values() if site.is_deterministic]


def pointwise(site: Site):
    """Returns an observed site's log-density, one number for each element of its plates."""
    return keras.ops.broadcast_to(site.log_prob(), tuple(plate.size for plate in site.plates))


def log_likelihood(model, x, number: int | None, seed: int | None):
    """Returns the log-density of each datum given each draw (see `Assessable.log_likelihood`)."""
    data = prepare(model, "log_likelihood", x)
    found = draw(model, data, number, weighing.seed_of(model, seed), predictive=False).log_likelihood
    if not found:
        raise DataError(
            explain(
                f"`log_likelihood` of {owner_of(model)} needs observed values.",
                received=f"data for {names([*data.rows, *data.whole])}",
                expected=f"values of one of {names(model.structure().random_sites())}",
                fix="pass the data that the model was fitted to, or new data",
            )
        )
    return next(iter(found.values())) if len(found) == 1 else found


def prepare(model, verb: str, x) -> Data:
    """Returns checked data, of a model that was fitted.

    Raises:
        KprobError: The model isn't fitted, or the data doesn't fit it.
    """
    if model.sampler is None:
        return weighing.prepare(model, verb, x)
    require_draws(model)
    with in_precision(model):
        return model.prepare_data(x)
