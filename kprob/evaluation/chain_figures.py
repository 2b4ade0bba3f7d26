"""What short chains say of a fit, by latent and by row."""

from collections.abc import Callable

import numpy as np
from keras import ops

from kprob.backend import random
from kprob.backend.seeds import numpy_generator
from kprob.data import Data, batch_of
from kprob.density.log_density import UnconstrainedLatent
from kprob.engine import Networks
from kprob.evaluation.fit_verdict import LEAST_ACCEPTANCE, RATIO, STAYED, ChainFigures, is_off
from kprob.evaluation.moved_moments import Moved, moved_by_draws, widths_by_weights, worst_of
from kprob.evaluation.short_chains import density_of, move, vectors_of
from kprob.types import Seed

NUM_FAR = 64
MANY = 5
LEAST_CHAINS = 64
MOST_NUMBERS = 100  # where rows have weights of their own: rows are taken until their latents are about so many numbers
MOST_ROWS = 50
MOST_EVALUATIONS = 2**21  # of a row, in one step of all chains
AGREE_SHIFT, AGREE_RATIO = 0.35, 1.4  # between the moments of weights and of chains, noise included


def chain_figures(
    networks: Networks,
    data: Data,
    rows: np.ndarray | None,
    values: dict[str, np.ndarray],
    weights: np.ndarray,
    num_chains: int,
    seed: Seed,
) -> ChainFigures | None:
    """Moves short chains from draws of q, and says how far they move its moments.

    Args:
        networks: The networks of a fitted model.
        data: The data.
        rows: Which rows of the fit's data `data` has, where each row has weights of its own; else None.
        values: Draws of q by site, draws leading.
        weights: Their weights, shape (S,), or (S, B) for those of each row.
        num_chains: Chains at most.
        seed: A seed of `kprob.backend.random`.

    Returns:
        The figures, or None where there can be no chains, or they would take long.
    """
    number = len(weights)
    num_chains = min(num_chains, number, MOST_EVALUATIONS // max(1, data.num_rows or 1 if rows is None else 1))
    if num_chains < min(LEAST_CHAINS, number) or networks.run_eagerly:
        return None
    generator = numpy_generator(seed, 5)
    if rows is not None:
        size = max(1, sum(value[0, 0].size for value in values.values()))
        few = max(1, min(len(rows), MOST_ROWS, MOST_NUMBERS // size))
        chosen = np.sort(generator.choice(len(rows), few, replace=False))
        data, rows, weights = data.take(chosen), rows[chosen], weights[:, chosen]
        values = {name: value[:, chosen] for name, value in values.items()}
    batch = batch_of(data)
    if rows is not None:
        batch["index"] = ops.convert_to_tensor(rows.astype("int32"))
    density = density_of(networks, batch)
    if density is None:
        return None
    before = vectors_of(networks, density, batch, values)
    far = NUM_FAR if rows is None else 0  # of many rows together, no chain has a density of its own
    found = move(networks, density, batch, before, num_chains, far, random.fold_in(seed, 5), generator)
    if found is None:
        return None
    moved = moved_by_draws(before, found.after, num_chains)
    row_of = _row_of_columns(density.latents, None if rows is None else len(rows))
    row_count = 1 if rows is None else len(rows)
    columns = weights[:, row_of] if rows is not None else np.broadcast_to(weights[:, None], before.shape)
    shift, ratio = widths_by_weights(before, columns)
    near = (np.abs(shift - moved.shift) < AGREE_SHIFT) & (np.abs(np.log(ratio / moved.ratio)) < np.log(AGREE_RATIO))
    stayed = (found.stayed < STAYED) & (found.acceptance > LEAST_ACCEPTANCE)
    return ChainFigures(
        {latent.name: worst_of(_of_latent(moved, latent), rows is not None) for latent in density.latents},
        _of_rows(is_off(moved) | _off_together(moved, density.latents), row_of, row_count, np.any),
        _of_rows(near, row_of, row_count, np.all),
        _of_rows(stayed, row_of, row_count, np.all),
        found.elsewhere,
    )


def _off_together(moved: Moved, latents: tuple[UnconstrainedLatent, ...]) -> np.ndarray:
    # Of many numbers of a site, the middling one is hardly noisy: it shows what all of them have in common.
    off = np.zeros(moved.ratio.shape, bool)
    for latent in latents:
        if latent.size >= MANY:
            own = np.median(np.log(_of_latent(moved, latent).ratio))
            off[latent.start : latent.start + latent.size] = abs(own) > np.log(RATIO)
    return off


def _of_latent(moved: Moved, latent: UnconstrainedLatent) -> Moved:
    return Moved(*(figure[latent.start : latent.start + latent.size] for figure in moved))


def _row_of_columns(latents: tuple[UnconstrainedLatent, ...], number: int | None) -> np.ndarray:
    # To which row each number of the vector belongs; all to one where rows have no weights of their own.
    if number is None:
        return np.zeros(sum(latent.size for latent in latents), int)
    return np.concatenate([np.repeat(np.arange(number), latent.size // number) for latent in latents])


def _of_rows(figure: np.ndarray, row_of: np.ndarray, number: int, reduce: Callable) -> np.ndarray:
    return np.array([reduce(figure[row_of == row]) for row in range(number)])
