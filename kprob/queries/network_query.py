"""Queries that are answered by running networks: which ones, on what, and how many draws at once."""

import functools
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import keras

from kprob import checks, distributions
from kprob.backend import random
from kprob.backend.seeds import seed_of
from kprob.data import Data, batch_of, rows_of
from kprob.data.batch import MAX_FOLDED_ROWS, data_of, repeat_rows
from kprob.distributions.wrappers import SAMPLE, WRAPPERS, unwrapped
from kprob.effects import Site, Trace
from kprob.engine import Networks, find_structure, folds_generative
from kprob.numerics import to_numpy
from kprob.queries.checks import number_of_draws, prepare_values, rank
from kprob.queries.query import Arrays, Query
from kprob.queries.summed_out import check_summed
from kprob.queries.target import Target
from kprob.types import Seed, Tensor


def _in_precision(method: Callable) -> Callable:
    # In the digits that the model's inference asks for.
    @functools.wraps(method)
    def wrapped(self: Any, *arguments: Any) -> Any:
        with self.networks.precision():
            return method(self, *arguments)

    return wrapped


class NetworkQuery(Query):
    """A query that is answered by running a model's networks.

    To subclass, override `run`. It is static, and what is compiled keeps no query: its data would stay as long.

    Args:
        networks: The model's networks.
        target: What the query is about.
        data: The query's data.
        single: Whether results are bare arrays.
    """

    def __init__(self, networks: Networks, target: Target, data: Data, single: bool = False):
        super().__init__(list(target.names), single)
        self.networks, self.target, self.data = networks, target, data
        self.batch = self.batch_of(data)

    @staticmethod
    @abstractmethod
    def run(
        networks: Networks,
        target: Target,
        batch: dict,
        seed: Seed,
        num_draws: int | None = None,
        given: Mapping[str, Tensor] | None = None,
    ) -> Trace:
        """Runs the networks that a query is about, once, and returns the trace that has its sites.

        Args:
            networks: The networks.
            target: What the query is about.
            batch: The data.
            seed: A seed.
            num_draws: Draws that are folded into the rows of the batch, or None for one.
            given: Values of latents, still latent.
        """

    @classmethod
    def densities(
        cls, networks: Networks, target: Target, batch: dict, seed: Seed, values: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Returns the log-densities of one draw's values, by site, of shape `plate_shape`.

        Args:
            networks: The networks.
            target: What the query is about.
            batch: The data.
            seed: A seed.
            values: Values of sites.
        """
        # A site that is asked for has the value of the data where the user gives none: it isn't drawn.
        known = {name: value for name, value in data_of(batch).items() if name in target.names}
        trace = cls.run(networks, target, batch, seed, given={**known, **values})
        return {name: _log_density(trace[name]) for name in target.names}

    def runs_per_draw(self) -> int:
        """Returns how often a network runs for one draw."""
        return 1

    def batch_of(self, data: Data, start: int = 0) -> dict:
        """Returns data as a batch.

        Args:
            data: The data, or some rows of it.
            start: The first of these rows.
        """
        # Only a guide with parameters per row wants to know which rows these are, and it knows no other rows than the fit's.
        spec, guide = self.networks.spec, self.networks.guide
        if spec is None or guide is None or not guide.has_rows:
            return batch_of(data, with_index=False)
        if data.num_rows is None:
            data = Data(data.rows, data.whole, spec.num_data)
        batch = batch_of(data)
        batch["index"] = batch["index"] + start
        return batch

    def can_fold(self, batch: dict) -> bool:
        """Whether draws may share a run: everything that is drawn has a value per row, and no row looks at another."""
        given = {*batch["rows"], *batch["whole"]}
        sites = find_structure(self.networks).sites.values()
        drawn = [s for s in sites if s.is_random and (s.name not in given or s.name in self.target.names)]
        if not drawn or self.networks.run_eagerly or not all(site.in_data_plate for site in drawn):
            return False
        return self.networks_fold()

    @abstractmethod
    def networks_fold(self) -> bool:
        """Whether the networks that run do the same to rows of several draws as to those of one."""

    @_in_precision
    def _draw(self, number: int, seed: int | None) -> Arrays:
        networks, target, run = self.networks, self.target, self.run
        rows = number * self.runs_per_draw() * (_static_rows(self.batch) or target.size)
        fold = self.can_fold(self.batch) and rows <= MAX_FOLDED_ROWS

        def program(batch: dict, seed: Seed) -> dict:
            def once(seed: Seed) -> dict:
                trace = run(networks, target, batch, seed)
                return {name: trace[name].value for name in target.names}

            if not fold:
                return networks.map_draws(once, random.split(seed, number))
            trace = run(networks, target, batch, seed, number)
            return {name: unfold(trace[name], number) for name in target.names}

        compiled = networks.programs.compiled(("sample", target, number, fold), program)
        return to_numpy(compiled(self.batch, seed_of(seed, networks.host.seed_generator)))

    @_in_precision
    def _density(self, values: Mapping[str, Any], seed: int | None) -> Arrays:
        networks, target, densities = self.networks, self.target, self.densities
        tensors = prepare_values(networks, target, self.batch, values)
        draws = {name for name, value in tensors.items() if len(value.shape) == rank(networks, name) + 1}
        single = {name: value for name, value in tensors.items() if name not in draws}

        if draws:
            number_of_draws({name: int(tensors[name].shape[0]) for name in draws})

        def program(batch: dict, single: dict, several: dict, seed: Seed) -> dict:
            def once(draw: dict) -> dict:
                return densities(networks, target, batch, seed, {**single, **draw})

            return networks.map_draws(once, several) if several else once({})

        key = ("log_prob", target, tuple(sorted(single)), tuple(sorted(draws)))
        compiled = networks.programs.compiled(key, program)
        several = {name: tensors[name] for name in sorted(draws)}
        return to_numpy(compiled(self.batch, single, several, seed_of(seed, networks.host.seed_generator)))

    @_in_precision
    def _describe(self, seed: int | None) -> dict[str, dict]:
        networks, target, run = self.networks, self.target, self.run

        def program(batch: dict, seed: Seed) -> dict:
            trace = run(networks, target, batch, seed)
            return {name: _parameters(trace[name].distribution) for name in target.names}

        compiled = networks.programs.compiled(("parameters", target), program)
        return to_numpy(compiled(self.batch, seed_of(seed, networks.host.seed_generator)))

    @_in_precision
    def _exact(self) -> dict[str, tuple]:
        # The moments of the sites whose distribution depends on nothing that is drawn: the first one.
        return self._moments_of(self.run(self.networks, self.target, self.batch, random.seed(0)), all_sites=False)

    def _moments_of(self, trace: Trace, all_sites: bool) -> dict[str, tuple]:
        exact: dict[str, tuple] = {}
        for name in trace:
            site = trace[name]
            if not site.is_random or site.observed or site.intervened:
                continue
            if name in self.target.names:
                moments = _moments(site.distribution, keras.ops.shape(site.value))
                exact |= {} if moments is None else {name: moments}
            if not all_sites:
                break
        return exact


class PriorQuery(NetworkQuery):
    """A query about the prior: the generative network runs."""

    @staticmethod
    def run(
        networks: Networks,
        target: Target,
        batch: dict,
        seed: Seed,
        num_draws: int | None = None,
        given: Mapping[str, Tensor] | None = None,
    ) -> Trace:
        batch = repeated(batch, num_draws)
        # Values that are given stand before the data's; and a covariate that has the name of a site is no value of the site,
        # unless its density is asked for.
        drawn = (
            [name for name in target.names if name in networks.generative_arguments] if given is None else list(given)
        )
        return networks.run_generative(batch, seed, None, num_draws, target.size, given=given, unobserved=drawn)

    def batch_of(self, data: Data, start: int = 0) -> dict:
        return batch_of(data, with_index=False)  # a guide's rows are none of the prior's

    def networks_fold(self) -> bool:
        return folds_generative(self.networks, self.data)

    def _probabilities(self, number: int, seed: int | None) -> Arrays:
        check_summed(self.networks, self.target, "probs")  # which the prior never is
        return {}

    def _most_probable(self) -> Arrays:
        check_summed(self.networks, self.target, "mode")
        return {}


def unfold(site: Site, number: int, value: Tensor = None) -> Tensor:
    """Returns a site's value, or another one of its shape, with an axis of draws before its rows.

    Args:
        site: A site of a run in which draws are folded into the rows.
        number: The number of draws.
        value: The other value.
    """
    value = site.value if value is None else value
    shape = keras.ops.shape(value)
    if not site.in_data_plate:
        return keras.ops.broadcast_to(value, (number, *shape))
    return keras.ops.reshape(value, (number, shape[0] // number, *shape[1:]))


def repeated(batch: dict, num_draws: int | None) -> dict:
    """Returns a batch with its rows repeated for each draw, where it has rows."""
    return batch if num_draws is None or rows_of(batch) is None else repeat_rows(batch, num_draws)


def _moments(distribution: Any, shape: Any) -> tuple | None:
    try:
        moments = distribution.mean(), distribution.stddev()
    except (NotImplementedError, ValueError):
        return None
    return tuple(to_numpy(keras.ops.broadcast_to(value, shape)) for value in moments)


def _log_density(site: Site) -> Tensor:
    # One number for each element of the plates. TFP's densities say anything at all outside a support.
    log_prob = site.log_prob_of_elements()
    possible = distributions.contains(site.distribution, site.value) if site.is_random else None
    if possible is None:
        return log_prob
    return keras.ops.where(possible, log_prob, keras.ops.full_like(log_prob, -float("inf")))


def _parameters(distribution: Any) -> dict:
    if distribution is None:
        return {}
    inner = unwrapped(distribution, (*WRAPPERS, SAMPLE))
    parameters: dict = {}
    for name, value in inner.parameters.items():
        if name == "distribution":
            parameters |= _parameters(value)
        elif hasattr(value, "shape") and hasattr(value, "dtype"):
            parameters[name] = value
        elif isinstance(value, float | int) and not isinstance(value, bool):
            parameters[name] = keras.ops.convert_to_tensor(value, dtype="float32")
    return parameters


def _static_rows(batch: dict) -> int | None:
    rows = rows_of(batch)
    return None if rows is None else checks.known_size(rows)
