"""How a network can be run for several values of what is summed out: tried out with two sets of values.

The quickest way gives a latent one value for all rows, with an axis of length 1; the next one folds the runs into the
rows of the batch. A network that looks across rows fails in these, or gives other numbers than one by one.
"""

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from kprob.backend import random
from kprob.data.batch import repeat_rows, rows_of
from kprob.effects import Handler, Site, Trace
from kprob.engine.enumeration.assignment import AssignValues
from kprob.engine.enumeration.generative_network import GenerativeNetwork
from kprob.engine.enumeration.log_factor import log_factor
from kprob.engine.enumeration.summed_variable import SummedVariable
from kprob.numerics import to_numpy
from kprob.types import Tensor

TOLERANCE = 1e-4

Logs = dict[str, np.ndarray]


class Repetition:
    """Trial runs of a network for two sets of values of what is summed out, all of it inside the data plate.

    Args:
        networks: The networks.
        variables: What is summed out.
        sites: The sites that depend on it.
        runs: The number of each colour's value in each run, shape (runs, colours).
        batch: A batch.
        inference: Trace of q on it.
    """

    def __init__(
        self,
        networks: GenerativeNetwork,
        variables: Mapping[str, SummedVariable],
        sites: Sequence[str],
        runs: np.ndarray,
        batch: dict,
        inference: Trace,
    ):
        self.networks, self.variables, self.sites = networks, variables, sites
        self.batch, self.inference, self.runs = batch, inference, (runs[0], runs[-1])
        self.rows = rows_of(batch)
        self.alone = [self._logs(self.batch, self._extra(run)) for run in self.runs]

    def is_compact(self) -> bool:
        """Whether the network takes one value for all rows."""
        if self.rows in (None, 1):  # one row would show nothing
            return False
        for run, full in zip(self.runs, self.alone, strict=True):
            short = self._logs(self.batch, self._extra(run, compact=True))
            if full is None or short is None or not all(_broadcasts(full[name], short[name]) for name in full):
                return False
        return True

    def is_foldable(self) -> bool:
        """Whether runs can be folded into the rows of the batch."""
        number, (first, second) = len(self.runs), self.alone
        if first is None or second is None or self.rows is None:
            return False

        def numbers(site: Site, variable: SummedVariable) -> Tensor:
            each = np.array([run[variable.colour] for run in self.runs], "int32")
            return keras.ops.convert_to_tensor(np.repeat(each, self.rows))

        given = {site.name: tiled(site, number) for site in self.inference.random_sites()}
        folded = self._logs(repeat_rows(self.batch, number), AssignValues(self.variables, numbers), number, given)
        if folded is None:
            return False
        return all(self._agree(name, (first[name], second[name]), folded[name]) for name in folded)

    def _extra(self, run: np.ndarray, compact: bool = False) -> Handler:
        return AssignValues(self.variables, lambda site, variable: int(run[variable.colour]), compact)

    def _logs(
        self, batch: dict, extra: Handler, num_draws: int | None = None, given: Mapping | None = None
    ) -> Logs | None:
        latents = None if num_draws else self.inference
        try:
            with keras.StatelessScope():
                trace = self.networks.run_generative(
                    batch, random.seed(2), latents, num_draws, given=given, extra=extra
                )
            sites = [trace[name] for name in self.sites if not trace[name].is_deterministic]
            return {site.name: to_numpy(log_factor(site, self.variables)) for site in sites}
        except Exception:  # noqa: BLE001  (whatever the network does with such a value)
            return None

    def _agree(self, name: str, each: tuple[np.ndarray, ...], folded: np.ndarray) -> bool:
        # The axis of rows; values of the variable itself are before it.
        axis = int(name in self.variables)
        full = [np.repeat(log, self.rows, axis) if log.shape[axis] == 1 else log for log in each]
        return _broadcasts(np.concatenate(full, axis), folded)


def tiled(site: Site, number: int) -> Tensor:
    """Returns a site's value with its rows repeated for each run, the runs outermost."""
    repeats = (number, *[1] * (len(site.value.shape) - 1))
    return keras.ops.tile(site.value, repeats) if site.in_data_plate else site.value


def _broadcasts(full: np.ndarray, short: np.ndarray) -> bool:
    if full.ndim != short.ndim or any(b not in (1, a) for a, b in zip(full.shape, short.shape, strict=True)):
        return False
    return np.allclose(full, np.broadcast_to(short, full.shape), rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
