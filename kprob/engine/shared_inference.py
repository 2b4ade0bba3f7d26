"""One run of q for many draws: where no latent's distribution depends on a draw, the network need not be repeated.

An encoder that runs on the rows of the batch, rather than on as many copies of them as there are draws, is most of what
makes an importance-weighted bound of 50 draws cheap.
"""

from collections.abc import Mapping
from dataclasses import replace

import keras

from kprob import distributions
from kprob.backend import random, tfd
from kprob.distributions.corrected.relaxed import rearrange
from kprob.effects import Plate, Site, Trace
from kprob.types import Seed, Tensor


def can_share(trace: Trace, independent: bool = False) -> bool:
    """Whether q's run can stand for many draws.

    Args:
        trace: A run of q.
        independent: Whether its latents are known not to depend on each other's draws.
    """
    others = [site for site in trace.sites.values() if not (site.is_random or site.is_param)]
    latents = [site for site in trace.random_sites() if not site.intervened]
    return not others and (len(latents) == 1 or independent) and all(site.in_data_plate for site in latents)


def expand_draws(
    trace: Trace, repeated: dict, num_draws: int, seed: Seed, given: Mapping[str, Tensor] | None = None
) -> Trace:
    """Makes the run of several draws from the run of one.

    Args:
        trace: A run of q on the rows of a batch.
        repeated: The batch, its rows repeated once per draw.
        num_draws: The number of draws.
        seed: A seed.
        given: Values by name, of the repeated rows, where they aren't to be drawn.
    """
    expanded = Trace(num_draws)
    for position, site in enumerate(trace.sites.values()):
        plates = tuple(_longer(plate, repeated, num_draws) if plate.is_data else plate for plate in site.plates)
        if not site.is_random or not site.in_data_plate:
            expanded.add(replace(site, plates=plates))
        elif site.intervened:
            expanded.add(
                replace(site, plates=plates, value=_flat(_copies(site.value, num_draws)), cached_log_prob=None)
            )
        else:
            value = None if given is None else given.get(site.name)
            expanded.add(_with_draws(site, plates, num_draws, random.fold_in(seed, position), value))
    return expanded


def _with_draws(site: Site, plates: tuple[Plate, ...], num_draws: int, seed: Seed, value: Tensor) -> Site:
    sizes = tuple(plate.size for plate in site.plates)
    own = site.distribution
    if value is None:
        outer = sizes[: len(sizes) - len(own.batch_shape)]
        values = distributions.draw(own, (num_draws, *outer), seed)
    else:
        values = rearrange(lambda v: keras.ops.reshape(v, (num_draws, -1, *keras.ops.shape(v)[1:])), value)
    # The log-density of all draws under one distribution: it isn't copied, only its parameters are broadcast.
    stacked = replace(site, plates=(Plate("draws", num_draws), *site.plates), value=values, cached_log_prob=None)
    log_prob = keras.ops.broadcast_to(stacked.log_prob(), (num_draws, *sizes))
    copied = tfd.BatchBroadcast(own, (num_draws, *sizes))
    wide = tfd.BatchReshape(copied, (num_draws * sizes[0], *sizes[1:]))
    value = rearrange(_flat, values) if value is None else value
    return replace(site, plates=plates, distribution=wide, value=value, cached_log_prob=_flat(log_prob))


def _longer(plate: Plate, repeated: dict, num_draws: int) -> Plate:
    return replace(plate, size=plate.size * num_draws, weights=repeated.get("weights"), indices=repeated.get("index"))


def _copies(value: Tensor, num_draws: int) -> Tensor:
    return keras.ops.broadcast_to(value, (num_draws, *keras.ops.shape(value)))


def _flat(value: Tensor) -> Tensor:
    shape = keras.ops.shape(value)
    return keras.ops.reshape(value, (shape[0] * shape[1], *shape[2:]))
