"""The evaluation of an objective on a batch: the networks run as the objective wants, and its values."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import keras

from kprob.backend import map_draws, random
from kprob.data.batch import is_of_stream
from kprob.effects import Trace
from kprob.engine.checking.impossible_values import first_impossible
from kprob.engine.network_errors import NOTE, annotate
from kprob.engine.networks import Networks
from kprob.guides import Guide
from kprob.guides.running.moved_particles import no_particles
from kprob.objectives import Objective
from kprob.objectives.estimation.draw_runs import ParticleMover
from kprob.types import Seed, Tensor

UNROLLED_DRAWS = 8

T = TypeVar("T")  # a structure of tensors


class Evaluation(NamedTuple):
    """An objective's values on a batch: scalars, of the whole data set.

    Attributes:
        objective: What is maximised.
        elbo: The evidence lower bound.
        log_likelihood: The log-density of what is observed.
        kl: Their difference.
        first_non_finite: The number of the first site, q's and then p's, whose log-density isn't finite; or the one of a
            site with impossible values (see `impossible_values.py`); or -1.
    """

    objective: Tensor
    elbo: Tensor
    log_likelihood: Tensor
    kl: Tensor
    first_non_finite: Tensor

    @property
    def logged(self) -> tuple[Tensor, Tensor, Tensor]:
        """What `fit` logs beside the loss: `elbo`, `log_likelihood` and `kl`."""
        return self.elbo, self.log_likelihood, self.kl


def evaluate(
    networks: Networks,
    objective: Objective,
    batch: dict,
    seed: Seed,
    *,
    training: bool = True,
) -> Evaluation:
    """Evaluates an objective on a batch.

    Args:
        networks: The networks.
        objective: The objective.
        batch: A batch.
        seed: A seed.
        training: Whether layers are trained, and what the objective learns from its own values (a baseline) may change.
    """
    runs = BatchRuns(networks, batch, seed, training)
    try:
        values = objective.run(runs)
    except Exception as error:  # of a user's own objective; those of the networks have a note already
        annotate(error, f"{NOTE} the objective {objective.label} of {networks.model_name}.")
        raise
    if training:
        objective.learn(values.signals)
    return Evaluation(values.objective, values.elbo, values.log_likelihood, values.kl, runs.first_non_finite)


class BatchRuns:
    """Runs of the networks on a batch, as an objective asks for them: see `kprob.objectives.estimation.draw_runs.DrawRuns`.

    Attributes:
        foldable: Whether draws can be folded into the rows.
        first_non_finite: The number of the first site of the runs whose log-density isn't finite, or -1.

    Args:
        networks: The networks.
        batch: A batch.
        seed: A seed.
        training: Whether layers are trained.
    """

    def __init__(self, networks: Networks, batch: dict, seed: Seed, training: bool):
        self.networks, self.batch, self.seed = networks, batch, seed
        folding = networks.folding
        self.foldable = folding is not None and (folding.in_training if training else folding.of_both)
        self.shared = networks.require_spec().shared
        self.first_non_finite: Tensor = -1

    def in_one_run(self, function: Callable[[Trace, Trace], T], num_draws: int, share_inference: bool) -> T:
        """Runs the networks once, with all draws folded into the rows."""
        folded = None if num_draws == 1 else num_draws
        p, q = self.networks.pair(self.batch, self.seed, folded, self.shared and share_inference)
        result = function(p, q)
        self.first_non_finite = self._first_fault(p, q)
        return result

    def one_by_one(self, function: Callable[[Trace, Trace], T], num_draws: int) -> T:
        """Runs the networks once for each draw, and stacks the results."""

        def once(seed: Seed) -> tuple[T, Tensor]:
            p, q = self.networks.pair(self.batch, seed)
            return function(p, q), self._first_fault(p, q)

        if num_draws > UNROLLED_DRAWS:
            return self._mapped(once, random.split(self.seed, num_draws))
        return self._unrolled(once, [random.fold_in(self.seed, i) for i in range(num_draws)])

    def of_particles(self, function: Callable[[Trace, Trace], T], mover: ParticleMover) -> tuple[T, Tensor]:
        """Runs p once for each particle, and stacks the results."""
        guide = self.networks.inference
        if not isinstance(guide, Guide):  # a q that the user wrote
            raise no_particles(mover, self.networks.model_name, type(guide).__name__)
        particles = guide.moved_particles(mover, self.networks.model_name)

        def once(index: Tensor) -> tuple[T, Tensor]:
            given = {name: keras.ops.take(value, index, axis=0) for name, value in particles.values.items()}
            p, q = self.networks.pair(self.batch, random.fold_in(self.seed, index), given=given)
            return function(p, q), self._first_fault(p, q)

        if particles.number > UNROLLED_DRAWS:
            return self._mapped(once, keras.ops.arange(particles.number, dtype="int32")), particles.correction
        return self._unrolled(once, list(range(particles.number))), particles.correction

    def _first_fault(self, p: Trace, q: Trace) -> Tensor:
        first = _non_finite(p, q)
        structure = self.networks.structure
        known = () if structure is None else structure.random_sites()
        impossible = first_impossible(p, known, stream=is_of_stream(self.batch))
        return first if impossible is None else keras.ops.where(impossible >= 0, impossible, first)

    # Few draws side by side, so that the compiler sees them all; many in a loop.
    def _unrolled(self, once: Callable[[Tensor], tuple[T, Tensor]], draws: list) -> T:
        each = [once(draw) for draw in draws]
        return self._checked(keras.tree.map_structure(lambda *values: keras.ops.stack(values), *each))

    def _mapped(self, once: Callable[[Tensor], tuple[T, Tensor]], draws: Tensor) -> T:
        return self._checked(map_draws(once, draws, self.networks.variables()))

    def _checked(self, stacked: tuple[T, Tensor]) -> T:
        results, first_of_each = stacked
        self.first_non_finite = keras.ops.max(first_of_each)
        return results


def _non_finite(p: Trace, q: Trace) -> Tensor:
    return first_non_finite([keras.ops.sum(t.site_log_prob(site)) for t in (q, p) for site in t.weighed_sites()])


def first_non_finite(numbers: list[Tensor]) -> Tensor:
    """Returns the position of the first number of a list that isn't finite, else -1."""
    # Nested choices of scalars: XLA makes one kernel of them, which a stack and an argmax aren't.
    first = keras.ops.convert_to_tensor(-1, dtype="int32")
    for position in reversed(range(len(numbers))):
        finite = keras.ops.isfinite(keras.ops.cast(numbers[position], "float32"))
        first = keras.ops.where(finite, first, position)
    return keras.ops.cast(first, "int32")
