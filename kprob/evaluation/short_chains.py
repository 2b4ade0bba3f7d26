"""Short Markov chains from draws of q: an instrument that doesn't weigh q's draws.

Hamiltonian Monte Carlo leaves the posterior as it is. So if q is the posterior, draws of q look the same after some
transitions; where q is too narrow they spread out, where it is off they go to where the posterior is, also where no draw of q
ever was. Two more sets of chains start far out, at draws of the prior and at draws of q that are moved away from its centre:
what they find beyond q's reach is another mode.

All chains move at once, in coordinates in which q's draws are round. A trajectory lasts about a quarter of the period that it
would have if q were right, after which a draw would be independent of where it began; of a posterior twice as wide, three
trajectories reach all but a percent. The step size follows the chains' mean acceptance.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from kprob.backend import float_type, gradients, random, vectorized_map
from kprob.density import LogDensity, find_log_density
from kprob.density.log_density import UnconstrainedLatent
from kprob.engine import Networks
from kprob.errors import MismatchError
from kprob.numerics import to_numpy
from kprob.samplers.kernels.impossible import impossible_if_nan
from kprob.types import Seed, Tensor

TRAJECTORY = math.pi / 2
MAX_STEPS = 16
TUNING, KEPT = 5, 4  # transitions that tune the step size, and those whose ends are kept
MORE_TUNING = 10  # at most, where few proposals are accepted
GOOD_ACCEPTANCE, LEAST_ACCEPTANCE = 0.8, 0.6
DENSE = 300  # up to so many numbers a full covariance is used
FEW = 5  # draws for each number, below which it is shrunk
SURE = 3.0  # standard errors by which more of them end elsewhere
FAR_OUT = (2.0, 8.0)  # how far draws of q are moved away from its centre


@dataclass(frozen=True)
class MovedDraws:
    """Draws of q, and where short chains bring them. All are unconstrained numbers.

    Attributes:
        latents: What the columns are.
        before: Draws of q (S, d).
        after: Ends of the last trajectories of chains that began at draws of q (n, d).
        acceptance: Mean acceptance probability of the last transitions.
        stayed: By column, the correlation between the beginnings of chains and their ends: near 1 they have hardly moved.
        elsewhere: Share of the chains from far out that ended beyond the reach of q's draws at no lower density, less that of
            the chains from q's draws: these may have left q, too, by paths of high density.
    """

    latents: tuple[UnconstrainedLatent, ...]
    before: np.ndarray
    after: np.ndarray
    acceptance: float
    stayed: np.ndarray
    elsewhere: float


def density_of(networks: Networks, batch: dict) -> LogDensity | None:
    """Returns the log-density of a model's latents, or None where some can't move on it: none is continuous."""
    try:
        return find_log_density(networks, batch, "diagnose")
    except MismatchError:
        return None


def vectors_of(networks: Networks, density: LogDensity, batch: dict, values: dict[str, np.ndarray]) -> np.ndarray:
    """Returns draws of q by site as vectors of unconstrained numbers (S, d)."""

    def program(values: dict, batch: dict) -> Tensor:
        def one(value: dict) -> Tensor:
            return density.vector_of(networks.run_generative(batch, random.seed(0), given=value))

        return vectorized_map(one, values, networks.variables())

    tensors = {name: ops.convert_to_tensor(value) for name, value in values.items()}
    return to_numpy(networks.programs.compiled(_key("vectors", density, batch), program)(tensors, batch))


def move(
    networks: Networks,
    density: LogDensity,
    batch: dict,
    before: np.ndarray,
    num_chains: int,
    num_far: int,
    seed: Seed,
    generator: np.random.Generator,
) -> MovedDraws | None:
    """Moves chains that begin at draws of q.

    Args:
        networks: The networks of a fitted model.
        density: The log-density of its latents.
        batch: The data.
        before: Draws of q (S, d), S at least `num_chains`.
        num_chains: Chains that begin at draws of q.
        num_far: Chains that begin far out.
        seed: A seed of `kprob.backend.random`.
        generator: Source of random numbers.

    Returns:
        Where the chains came to, or None where q's draws don't spread, so that nothing says how far a step should go.
    """
    first = _coordinates(before) if np.isfinite(before).all() else None
    if first is None:
        return None
    coordinates: tuple[np.ndarray, np.ndarray] = first
    begin = before[np.linspace(0, len(before) - 1, num_chains).round().astype(int)]
    far = _far_out(networks, density, batch, before, num_far, seed, generator)
    position = np.concatenate([begin, far]).astype(float_type())
    program = networks.programs.compiled(_key("move", density, batch), _program(networks, density))

    def transition(number: int) -> tuple[np.ndarray, np.ndarray, float]:
        time = TRAJECTORY * generator.uniform(0.8, 1.2)
        numbers = np.asarray([min(step, time), min(MAX_STEPS, math.ceil(time / step))])
        fixed = [ops.convert_to_tensor(array.astype(float_type())) for array in (position, numbers, *coordinates)]
        moved, log_densities, accepted = to_numpy(program(fixed, random.fold_in(seed, number), batch))
        return moved, log_densities, float(np.mean(accepted[:num_chains]))

    step, rate, tuned = 0.9 * before.shape[1] ** -0.25, 1.0, 0
    while tuned < TUNING or (rate < LEAST_ACCEPTANCE and tuned < TUNING + MORE_TUNING):
        position, _, rate = transition(tuned)
        step *= min(1.5, max(0.4, math.exp(2.0 * (rate - GOOD_ACCEPTANCE))))
        # Where the posterior is far wider than q, each transition reaches further than the last one.
        coordinates = _coordinates(position[:num_chains]) or coordinates
        tuned += 1
    kept, rates = [], []
    for number in range(tuned, tuned + KEPT):
        position, log_densities, rate = transition(number)
        kept.append(position[:num_chains])
        rates.append(rate)
    after = np.concatenate(kept)
    elsewhere = _elsewhere(position, log_densities, num_chains, before)
    return MovedDraws(density.latents, before, after, float(np.mean(rates)), _correlation(begin, kept[-1]), elsewhere)


def _key(what: str, density: LogDensity, batch: dict) -> tuple:
    # What is observed tells which discrete latents are summed out.
    return what, density.latents, *(tuple(sorted(batch[part])) for part in ("rows", "whole"))


def _program(networks: Networks, density: LogDensity) -> Callable:
    def program(fixed: list[Tensor], seed: Seed, batch: dict) -> list[Tensor]:
        position, numbers, centre, scale = fixed
        dtype = keras.backend.standardize_dtype(position.dtype)
        chains, size = tuple(position.shape)
        dense = len(scale.shape) == 2

        def placed(z: Tensor) -> Tensor:
            return centre + (ops.matmul(z, ops.transpose(scale)) if dense else z * scale)

        def evaluate(u: Tensor) -> tuple[Tensor, Tensor]:
            value, (slope,) = gradients(lambda u: impossible_if_nan(density(u, batch)), u)
            return value, slope

        def leapfrog(i: Tensor, x: Tensor, q: Tensor, slope: Tensor, before: Tensor, after: Tensor) -> tuple:
            # The first round stands still, to know the beginning: so the density is traced once.
            moving = ops.cast(i > 0, dtype) * numbers[0]
            q = q + 0.5 * moving * slope
            x = x + moving * q
            value, slope = vectorized_map(evaluate, placed(x), networks.variables())
            slope = ops.matmul(slope, scale) if dense else slope * scale
            return i + 1.0, x, q + 0.5 * moving * slope, slope, ops.where(i > 0, before, value), value

        offset = position - centre
        z = ops.transpose(ops.solve_triangular(scale, ops.transpose(offset), lower=True)) if dense else offset / scale
        p = random.normal((chains, size), random.fold_in(seed, 0), dtype)
        nothing = ops.zeros((chains,), dtype)
        start = (ops.zeros((), dtype), z, p, ops.zeros_like(z), nothing, nothing)
        _, x, q, _, before, after = ops.while_loop(lambda i, *_: i <= numbers[1], leapfrog, start)
        kinetic = 0.5 * (ops.sum(ops.square(p), axis=-1) - ops.sum(ops.square(q), axis=-1))
        ratio = impossible_if_nan(after - before + kinetic)
        accepted = ops.log(random.uniform((chains,), random.fold_in(seed, 1), dtype)) < ratio
        return [
            ops.where(accepted[:, None], placed(x), position),
            ops.where(accepted, after, before),
            ops.exp(ops.minimum(ratio, 0.0)),
        ]

    return program


def _coordinates(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    # The centre, and a Cholesky factor or standard deviations; None where draws don't spread.
    draws = draws.astype("float64")
    number, size = draws.shape
    centre, spread = np.mean(draws, axis=0), np.std(draws, axis=0)
    if not np.all(spread > 1e-6 * (np.abs(centre) + 1e-6)):
        return None
    if size > DENSE:
        return centre, spread
    share = 1e-6 if number >= FEW * size else size / (number + size)
    correlation = np.corrcoef(draws, rowvar=False).reshape(size, size)
    correlation = (1 - share) * correlation + share * np.eye(size)
    try:
        return centre, spread[:, None] * np.linalg.cholesky(correlation)
    except np.linalg.LinAlgError:
        return centre, spread


def _far_out(
    networks: Networks,
    density: LogDensity,
    batch: dict,
    before: np.ndarray,
    number: int,
    seed: Seed,
    generator: np.random.Generator,
) -> np.ndarray:
    # Half of them draws of the prior, half draws of q moved away from its centre.
    if not number:
        return before[:0]

    def program(seeds: Tensor, batch: dict) -> Tensor:
        return networks.map_draws(lambda one: density.draw_prior(batch, one), seeds)

    draw = networks.programs.compiled(_key("prior vectors", density, batch), program)
    prior = to_numpy(draw(random.split(random.fold_in(seed, 1000), number // 2), batch))
    centre = np.mean(before, axis=0)
    chosen = before[generator.choice(len(before), number - len(prior))]
    out = centre + generator.uniform(*FAR_OUT, (len(chosen), 1)) * (chosen - centre)
    prior = np.where(np.isfinite(prior).all(axis=1, keepdims=True), prior, centre)
    return np.concatenate([prior, out])


def _correlation(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    x, y = start - np.mean(start, axis=0), end - np.mean(end, axis=0)
    return np.mean(x * y, axis=0) / np.maximum(np.std(start, axis=0) * np.std(end, axis=0), 1e-30)


def _elsewhere(ends: np.ndarray, log_densities: np.ndarray, num_chains: int, before: np.ndarray) -> float:
    # By how much more of the chains from far out than of those from q's draws end beyond q's reach.
    if len(ends) == num_chains:
        return 0.0
    low, high = np.min(before, axis=0), np.max(before, axis=0)
    margin = 0.25 * (high - low)
    outside = np.any((ends < low - margin) | (ends > high + margin), axis=1)
    # Of a normal mode as heavy as q's, all but a twentieth of the draws have at least this density.
    found = outside & (log_densities > np.sort(log_densities[:num_chains])[num_chains // 20])
    share = float(np.mean(found))
    noise = math.sqrt(share * (1 - share) * (1 / num_chains + 1 / (len(ends) - num_chains)))
    more = float(np.mean(found[num_chains:]) - np.mean(found[:num_chains]))
    return more if more > SURE * noise else 0.0
