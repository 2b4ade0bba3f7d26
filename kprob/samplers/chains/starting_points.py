"""Where chains start: positions of finite density, by trial."""

from collections.abc import Callable, Mapping

import keras
import numpy as np

from kprob.backend import float_type
from kprob.density import LogDensity
from kprob.errors import KprobError, explain
from kprob.samplers.chains.pathfinder import pathfinder
from kprob.types import Tensor

TRIES = 100
RADIUS = 2.0
NEAR_TRIES, TRIES_PER_DOUBLING = 20, 5


def find_starting_points(
    density: LogDensity,
    evaluate: Callable,
    batch: dict,
    strategy: str | Mapping,
    draw_start: Callable,
    num_chains: int,
    seed: int,
) -> list[np.ndarray]:
    """Returns a starting vector for each chain, at which density and gradient are finite.

    Args:
        density: The log-density.
        evaluate: `(vector, batch) -> (log_density, gradient)`, compiled.
        batch: The data.
        strategy: "uniform", "median", "prior", "pathfinder", "guide", or a dict of values by site.
        draw_start: `(strategy, number) -> vector`, a position from the prior, from the guide or of the dict's values.
        num_chains: Chains.
        seed: An int.

    Raises:
        KprobError: There is no such position; the message names the site.
    """
    generator = np.random.default_rng(seed)
    starts = []
    for chain in range(num_chains):
        for attempt in range(TRIES):
            vector = _propose(density, strategy, draw_start, generator, chain * TRIES + attempt)
            vector = vector if isinstance(strategy, Mapping) else _widened(density, vector, generator, attempt)
            if strategy == "pathfinder":
                vector = _along_path(vector, lambda u: _numbers(evaluate, u, batch), generator)
            value, gradient = _numbers(evaluate, vector, batch)
            if np.isfinite(value) and np.isfinite(gradient).all():
                starts.append(vector)
                break
        else:
            raise KprobError(_no_start_message(density, vector, batch, strategy))
    return starts


def _propose(
    density: LogDensity, strategy: str | Mapping, draw_start: Callable, generator: np.random.Generator, number: int
) -> np.ndarray:
    discrete = np.concatenate([np.full(latent.size, latent.discrete) for latent in density.latents])
    if strategy in ("uniform", "pathfinder"):
        vector = generator.uniform(-RADIUS, RADIUS, density.size)
        # Whole numbers are drawn from the prior: others wouldn't be possible.
        return (np.where(discrete, draw_start("prior", number), vector) if discrete.any() else vector).astype(
            float_type()
        )
    vector = np.asarray(draw_start(strategy, number), dtype=float_type())
    # Chains that start at one place would look as if they agreed.
    spread = 0.0 if strategy in ("prior", "guide") else 0.1
    return (vector + np.where(discrete, 0.0, spread) * generator.normal(size=vector.shape)).astype(float_type())


def _widened(density: LogDensity, vector: np.ndarray, generator: np.random.Generator, attempt: int) -> np.ndarray:
    # Where draws of the prior aren't possible, counts go further and further out: data may be what hardly any count of the
    # prior allows, such as more successes than there are trials.
    for latent in density.latents:
        if latent.discrete and not latent.support and attempt >= NEAR_TRIES:
            farthest = 2.0 ** ((attempt - NEAR_TRIES) // TRIES_PER_DOUBLING)
            steps = generator.uniform(0.5, 1.0, latent.size) * farthest
            signs = 1.0 if latent.counts else generator.choice([-1.0, 1.0], latent.size)
            vector = vector.copy()
            vector[latent.start : latent.start + latent.size] += np.round(signs * steps).astype(vector.dtype)
    return vector


def _numbers(evaluate: Callable, vector: np.ndarray, batch: dict) -> tuple[float, np.ndarray]:
    value, (gradient,) = evaluate(keras.ops.convert_to_tensor(np.asarray(vector, float_type())), batch)
    return float(value), np.asarray(keras.ops.convert_to_numpy(gradient))


def _along_path(vector: np.ndarray, evaluate: Callable, generator: np.random.Generator) -> np.ndarray:
    if not np.isfinite(evaluate(vector)[0]):
        return vector  # in vain: the next one may be better
    approximation = pathfinder(evaluate, vector, generator)
    return vector if approximation is None else approximation.draw(generator).astype(float_type())


def _no_start_message(density: LogDensity, vector: np.ndarray, batch: dict, strategy: str | Mapping) -> str:
    terms = {name: float(value) for name, value in density.terms(keras.ops.convert_to_tensor(vector), batch).items()}
    bad = [name for name, value in terms.items() if not np.isfinite(value)]
    values = density.values(keras.ops.convert_to_tensor(vector), batch)
    at = ", ".join(f"`{name}` = {_brief(value)}" for name, value in values.items())
    what = (
        f"the log-density of site `{bad[0]}` is {terms[bad[0]]}"
        if bad
        else "the log-density is finite, its gradient isn't"
    )
    how = f"{strategy!r}" if isinstance(strategy, str) else "the given values"
    return explain(
        f"No chain can start: {TRIES} positions from init={how} have no finite log-density and gradient.",
        received=f"at the last one, {at}, {what}",
        expected="a position where every site is possible",
        fix=_where_to_start(density, strategy),
    )


def _where_to_start(density: LogDensity, strategy: str | Mapping) -> str:
    if isinstance(strategy, Mapping):
        return "correct the values of init, which must be possible together and with the data, or leave `init` out"
    discrete = [latent.name for latent in density.latents if latent.discrete]
    if discrete:
        return (
            f'say where to start: init={{"{discrete[0]}": value}}, with which the data is possible; or check the data'
        )
    return 'check the data and the support of that site, or say where to start: init="median", or init={"site": value}'


def _brief(value: Tensor) -> str:
    array = np.asarray(keras.ops.convert_to_numpy(value))
    return f"{float(array):.4g}" if array.ndim == 0 else np.array2string(array.ravel()[:4], precision=4)
