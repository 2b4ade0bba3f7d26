"""`model.to_arviz(data)`: a fit as ArviZ's data structure, with coordinates and dimensions named after plates."""

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from kprob.backend.seeds import seed_of
from kprob.checks import check_count
from kprob.data import Data
from kprob.engine import Networks, Structure, find_structure, named_data
from kprob.errors import KprobError, explain
from kprob.evaluation.joint_draws import JointDraws, data_of_draws, draw_jointly
from kprob.queries.ask import prior_query
from kprob.samplers.chains.draws import Draws

# ArviZ's names of what samplers tell.
_STATISTICS = {
    "log_density": "lp",
    "accept_rate": "acceptance_rate",
    "step_size": "step_size",
    "num_steps": "n_steps",
    "tree_depth": "tree_depth",
    "diverging": "diverging",
    "energy": "energy",
}
_TYPES = {"diverging": bool, "tree_depth": int, "n_steps": int}


def to_arviz(
    networks: Networks,
    draws: Draws | None,
    x: Any,
    num_samples: int | None,
    num_prior_samples: int,
    coords: Mapping | None,
    seed: int | None,
) -> Any:
    """Returns a fit as ArviZ's data structure.

    Args:
        networks: The networks of a fitted model.
        draws: A sampler's draws; None for draws of q.
        x: The data of the fit.
        num_samples: Draws.
        num_prior_samples: Draws of the prior; 0 for none.
        coords: Labels by plate, in place of 0, 1, 2, ...
        seed: Makes the result repeatable.
    """
    arviz = import_arviz()
    structure = find_structure(networks, named_data(networks, x) if x is not None else None)
    data = data_of_draws(networks, draws, "to_arviz", x)
    check_count("num_prior_samples", num_prior_samples, 0)
    joint = draw_jointly(networks, draws, data, num_samples, seed_of(seed, networks.host.seed_generator))
    shape = (joint.num_chains, -1)
    groups: dict[str, dict[str, np.ndarray]] = {
        "posterior": _in_chains(joint.posterior, shape),
        "posterior_predictive": _in_chains(joint.predictive, shape),
        "log_likelihood": _in_chains(joint.log_likelihood, shape),
        "sample_stats": _statistics(draws, joint, shape),
    }
    arrays = {**data.rows, **data.whole}
    groups["observed_data"] = {name: arrays[name] for name in joint.log_likelihood}
    groups["constant_data"] = {name: np.asarray(v) for name, v in arrays.items() if name not in structure.sites}
    if num_prior_samples:
        groups |= _prior(networks, x, data.num_rows, list(joint.log_likelihood), num_prior_samples, seed)
    named = _Dimensions(structure, data, coords)
    dims = {name: named.of_site(name) for name in structure.sites}
    dims |= {name: named.of_covariate(name, value) for name, value in groups["constant_data"].items()}
    groups = {name: group for name, group in groups.items() if group}
    return _convert(arviz, groups, named.coords, {name: dim for name, dim in dims.items() if dim})


def import_arviz() -> Any:
    """Returns ArviZ, which kprob works without.

    Raises:
        KprobError: It isn't installed.
    """
    try:
        return importlib.import_module("arviz")
    except ImportError as error:
        raise KprobError(
            explain(
                "`to_arviz` needs ArviZ, which isn't installed.",
                received=str(error),
                expected="the package arviz",
                fix='run: pip install "kprob[arviz]"',
            )
        ) from error


def _convert(arviz: Any, groups: dict, coords: dict, dims: dict) -> Any:
    if "posterior" in inspect.signature(arviz.from_dict).parameters:
        return arviz.from_dict(**groups, coords=coords, dims=dims)
    return arviz.from_dict(groups, coords=coords, dims=dims)  # since ArviZ 1.0, all groups in one dictionary


def _in_chains(values: dict, shape: tuple) -> dict[str, np.ndarray]:
    return {name: value.reshape(*shape, *value.shape[1:]) for name, value in values.items()}


def _statistics(draws: Draws | None, joint: JointDraws, shape: tuple) -> dict[str, np.ndarray]:
    if draws is None:
        return _in_chains(joint.statistics, shape)
    number = len(next(iter(joint.statistics.values()))) // joint.num_chains
    if number != draws.num_draws:  # what a transition told belongs to all draws, or to none
        return _in_chains(joint.statistics, shape)
    statistics = {_STATISTICS[name]: value for name, value in draws.statistics.items()}
    statistics = {name: value for name, value in statistics.items() if not np.isnan(value).all()}
    return {name: value.astype(_TYPES.get(name, value.dtype)) for name, value in statistics.items()}


def _prior(
    networks: Networks, x: Any, num_rows: int | None, observed: list[str], number: int, seed: int | None
) -> dict[str, dict]:
    sites = find_structure(networks).sites
    covariates = {name: value for name, value in named_data(networks, x).items() if name not in sites}
    wanted = [name for name, site in sites.items() if site.is_variable]
    query = prior_query(networks, wanted, covariates, size=num_rows or 1)
    draws = {name: np.asarray(value)[None] for name, value in dict(query.sample(number, seed=seed)).items()}
    return {
        "prior": {name: value for name, value in draws.items() if name not in observed},
        "prior_predictive": {name: value for name, value in draws.items() if name in observed},
    }


class _Dimensions:
    # Names of axes: plates by their own names, axes of one value after the site.
    def __init__(self, structure: Structure, data: Data, coords: Mapping | None):
        self.structure, self.data = structure, data
        self.coords: dict[str, Any] = {}
        for site in structure.sites.values():
            for plate, size in site.plates:
                length = data.num_rows or 1 if size is None else size
                self.coords.setdefault(self._name(plate), np.arange(length))
        self.coords.update(coords or {})

    def of_site(self, name: str) -> list[str]:
        site = self.structure.sites[name]
        plates = [self._name(plate) for plate, _ in site.plates]
        return plates + [f"{name}_dim_{i}" for i in range(len(site.event_shape))]

    def of_covariate(self, name: str, value: np.ndarray) -> list[str]:
        axes = [f"{name}_dim_{i}" for i in range(value.ndim)]
        data_plates = [
            self._name(plate) for site in self.structure.sites.values() for plate, size in site.plates if size is None
        ]
        return [data_plates[0], *axes[:-1]] if name in self.data.rows and data_plates else axes

    def _name(self, plate: str) -> str:
        # xarray takes a variable that is named as an axis for the axis's coordinate.
        taken = {*self.structure.sites, *self.data.rows, *self.data.whole}
        return f"{plate}_plate" if plate in taken else plate
