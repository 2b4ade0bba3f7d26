"""The exact distribution of what is summed out, given the data and all other latents.

An elimination leaves for each variable the table that it was summed out of. Backwards, each variable's distribution given
those that went after it can be read off: drawing (or maximising) one after the other draws from the joint distribution
(for a chain this is forward filtering, backward sampling; with maxima in place of sums, Viterbi's algorithm). Marginal
probabilities are derivatives of the log-evidence: in the log-weights of a variable's values.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence

import keras

from kprob.backend import gradients, random
from kprob.engine.enumeration.assignment import value_of
from kprob.engine.enumeration.elimination import Elimination, eliminate
from kprob.engine.enumeration.factors import Factors
from kprob.engine.enumeration.log_factor import log_softmax
from kprob.engine.enumeration.state_chain import StateChain, decoded
from kprob.engine.enumeration.summed_variable import SummedVariable
from kprob.engine.enumeration.tables import Table, aligned, largest
from kprob.errors import SiteError, explain, names
from kprob.numerics import log_sum_exp
from kprob.types import Seed, Tensor

ops = keras.ops


def draw(factors: Factors, seed: Seed) -> dict[str, Tensor]:
    """Draws all variables jointly.

    Args:
        factors: The factors.
        seed: A seed.

    Returns:
        Values by site, of shape `plate_shape + event_shape`.
    """
    count = itertools.count()

    def choose(logits: Tensor, variable: SummedVariable | None = None) -> Tensor:
        noise = random.uniform(tuple(ops.shape(logits)), random.fold_in(seed, next(count)), logits.dtype)
        return ops.argmax(logits - ops.log(-ops.log(noise)), axis=0)

    return _values(factors, _decode(factors, _eliminated(factors), choose))


def mode(factors: Factors) -> dict[str, Tensor]:
    """Returns the most probable values of all variables together, by site."""

    def choose(logits: Tensor, variable: SummedVariable | None = None) -> Tensor:
        return ops.argmax(logits, axis=0)

    return _values(factors, _decode(factors, _eliminated(factors, largest), choose))


def probabilities(factors: Factors) -> dict[str, Tensor]:
    """Returns the probabilities of each variable's values by site, shape `plate_shape + (number of values,)`."""
    homes = _homes(factors)
    extra = {
        name: ops.zeros((variable.number, *(factors.plates[plate].size for plate in homes[name])))
        for name, variable in factors.variables.items()
        if variable.state is None
    }

    def log_evidence(extra: Mapping) -> Tensor:
        tables = [Table(log, (name,), homes[name]) for name, log in extra.items()]
        return sum(ops.sum(table.log) for table in _eliminated(factors, log_sum_exp, tables).results)

    marginals = gradients(log_evidence, extra)[1][0]
    return {name: _in_order(factors, name, ops.moveaxis(p, 0, -1)) for name, p in marginals.items()}


def log_probs(factors: Factors, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns log-densities of values by site, each given those before it in an order of the engine's own.

    Args:
        factors: The factors.
        values: A value for each variable.

    Returns:
        Shapes `plate_shape`; their sum is the joint log-density.
    """
    if factors.past:
        raise SiteError(
            explain(
                f"The joint density of values of {names(factors.past)} along time isn't there.",
                expected="sites outside of a `scan`",
                fix="ask for `probs()`, the probabilities of each time's values",
            )
        )
    densities = {}

    def choose(logits: Tensor, variable: SummedVariable) -> Tensor:
        number = _numbers(factors, variable, values[variable.name])
        picked = _picked(ops.moveaxis(log_softmax(ops.moveaxis(logits, 0, -1)), -1, 0), number, 0)
        densities[variable.name] = _in_order(factors, variable.name, picked)
        return number

    _decode(factors, _eliminated(factors), choose)
    return densities


def _eliminated(factors: Factors, reduce: Callable = log_sum_exp, extra: Sequence[Table] = ()) -> Elimination:
    return eliminate([*factors.tables, *extra], factors.variables, factors.plates, reduce)


def _decode(factors: Factors, done: Elimination, choose: Callable) -> dict[str, Tensor]:
    # The number of each variable's value, axes in the order of all plates.
    homes, chosen = _homes(factors), dict[str, Tensor]()
    for step in reversed(done.steps):
        table = step.table
        own = (*step.past, *step.states) if isinstance(step, StateChain) else (step.variable,)
        others = [name for name in table.variables if name not in own]
        log = aligned(table, (*others, *own), table.plates)
        for other in others:
            number = aligned(Table(chosen[other], (), homes[other]), (), table.plates)
            log = _picked(log, ops.reshape(number, (*[1] * (len(log.shape) - len(table.plates) - 1), *number.shape)), 0)
        if isinstance(step, StateChain):
            chosen |= decoded(step, log, factors.variables, factors.plates, choose)
            continue
        sizes = tuple(factors.plates[plate].size for plate in table.plates)
        variable = factors.variables[step.variable]
        chosen[step.variable] = choose(ops.broadcast_to(log, (variable.number, *sizes)), variable)
    return chosen


def _picked(log: Tensor, number: Tensor, axis: int) -> Tensor:
    # What stands at a number along the first axis; numbers broadcast to the other axes.
    size = log.shape[axis]
    each = ops.reshape(ops.arange(size, dtype="int32"), (size, *[1] * (len(log.shape) - 1)))
    there = each == ops.cast(number, "int32")[None]
    return ops.max(ops.where(there, log, ops.full_like(log, -float("inf"))), axis=axis)


def _homes(factors: Factors) -> dict[str, tuple[str, ...]]:
    return {n: tuple(p for p in factors.plates if p in v.plates) for n, v in factors.variables.items()}


def _in_order(factors: Factors, name: str, value: Tensor) -> Tensor:
    # From the order of all plates to that in which the site's are nested.
    own, home = factors.variables[name].plates, _homes(factors)[name]
    if own == home:
        return value
    rest = range(len(own), len(value.shape))
    return ops.transpose(value, (*(home.index(plate) for plate in own), *rest))


def _values(factors: Factors, numbers: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: value_of(factors.trace[name], factors.variables[name], _in_order(factors, name, numbers[name]))
        for name in factors.sites
    }


def _numbers(factors: Factors, variable: SummedVariable, value: Tensor) -> Tensor:
    # Which of its values a variable has, axes in the order of all plates.
    event = tuple(range(-(variable.values.ndim - 1), 0))
    values = ops.cast(ops.convert_to_tensor(variable.values), "float32")
    same = ops.cast(value, "float32")[..., None] if not event else ops.expand_dims(value, -1 - len(event))
    same = ops.abs(ops.cast(same, "float32") - values) < 1e-6
    number = ops.argmax(ops.all(same, axis=event) if event else same, axis=-1)
    own, home = variable.plates, _homes(factors)[variable.name]
    return number if own == home else ops.transpose(number, tuple(own.index(plate) for plate in home))
