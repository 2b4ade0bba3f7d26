"""The evaluation of an objective on a batch: how its draws are run, and what is made of them."""

from collections.abc import Callable

import keras

from kprob.backend import map_draws, random
from kprob.effects import Trace
from kprob.engine.networks import Networks
from kprob.errors import CompileError, explain
from kprob.objectives import Objective
from kprob.types import Seed, Tensor

UNROLLED_DRAWS = 8


def evaluate(
    networks: Networks,
    objective: Objective,
    batch: dict,
    seed: Seed,
    *,
    foldable: bool = False,
    shared: bool = False,
    training: bool = True,
) -> dict:
    """Evaluates an objective on a batch: its draws folded into the rows where that's possible, else one by one.

    Args:
        networks: The networks.
        objective: The objective.
        batch: A batch.
        seed: A seed.
        foldable: Whether every latent is inside the data plate.
        shared: Whether q may run once for all draws then.
        training: Whether what the objective learns from its own values (a baseline) may change.

    Returns:
        The objective's terms, scalars by name, and "first_non_finite": the number of the first term of the log-densities
        that isn't finite, or -1.
    """
    if objective.moves_particles:
        terms = _evaluate_particles(networks, objective, batch, seed)
    elif objective.num_samples == 1 or foldable:
        draws = None if objective.num_samples == 1 else objective.num_samples
        p, q = networks.pair(batch, seed, draws, shared and objective.shares_inference)
        terms = {**objective.terms(p, q), "first_non_finite": _non_finite(p, q)}
    else:

        def once(seed):
            p, q = networks.pair(batch, seed)
            return {**objective.pieces(p, q), "first_non_finite": _non_finite(p, q)}

        terms = _each(
            once,
            objective.num_samples,
            lambda i: random.fold_in(seed, i),
            lambda number: random.split(seed, number),
            networks,
        )
        terms = _combined(objective, terms)
    return objective.update(terms, training)


def _each(once, number: int, one: Callable, all_of: Callable, networks: Networks) -> dict:
    # Few draws side by side, so that the compiler sees them all; many in a loop.
    if number > UNROLLED_DRAWS:
        return map_draws(once, all_of(number), networks.variables())
    each = [once(one(i)) for i in range(number)]
    return {name: keras.ops.stack([found[name] for found in each]) for name in each[0]}


def _combined(objective: Objective, pieces: dict) -> dict:
    first = keras.ops.max(pieces.pop("first_non_finite"))
    return {**objective.combine(pieces), "first_non_finite": first}


def _evaluate_particles(networks: Networks, objective: Objective, batch: dict, seed: Seed) -> dict:
    # Every particle is a draw: their values are set, and the objective says how gradients come back to them.
    guide = networks.inference
    if not hasattr(guide, "directed"):
        raise CompileError(
            explain(
                f"{type(objective).__name__} moves particles, and {networks.owner} has none.",
                received=f"{type(guide).__name__} as the inference network",
                expected="kprob.guides.Particles",
                fix="make the model with inference=kprob.guides.Particles(50)",
            )
        )
    values, extra = guide.directed(objective.directed)

    def once(index):
        given = {name: keras.ops.take(value, index, axis=0) for name, value in values.items()}
        p, q = networks.pair(batch, random.fold_in(seed, index), given=given)
        return {**objective.pieces(p, q), "first_non_finite": _non_finite(p, q)}

    terms = _each(
        once,
        guide.num_particles,
        lambda i: i,
        lambda number: keras.ops.arange(number, dtype="int32"),
        networks,
    )
    terms = _combined(objective, terms)
    return {**terms, "objective": terms["objective"] + extra}


def _non_finite(p: Trace, q: Trace) -> Tensor:
    terms = [keras.ops.sum(t.site_log_prob(site)) for t in (q, p) for site in t.weighed_sites()]
    return first_non_finite(terms)


def first_non_finite(terms: list[Tensor]) -> Tensor:
    """Returns the position of the first number of a list that isn't finite, else -1."""
    # Nested choices of scalars: XLA makes one kernel of them, which a stack and an argmax aren't.
    number = keras.ops.convert_to_tensor(-1, dtype="int32")
    for position in reversed(range(len(terms))):
        finite = keras.ops.isfinite(keras.ops.cast(terms[position], "float32"))
        number = keras.ops.where(finite, number, position)
    return keras.ops.cast(number, "int32")
