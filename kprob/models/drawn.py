"""What a model has drawn: its sampler's draws, and the next of its own random numbers."""

import keras

from kprob.backend import random
from kprob.errors import KprobError, explain
from kprob.models.owner import owner_of
from kprob.samplers.chains.draws import Draws


def require_draws(model) -> Draws:
    """Returns a model's draws.

    Raises:
        KprobError: There are none yet.
    """
    draws = model.draws
    if draws is None or not draws.num_draws:
        raise KprobError(
            explain(
                f"{owner_of(model)} has no draws yet.",
                received="a model compiled with a sampler that hasn't been fitted, or whose fit ended while warming up",
                fix="call model.fit(data) first",
            )
        )
    return draws


def random_number(model) -> int:
    """Returns the next integer of a model's own random numbers."""
    words = keras.ops.convert_to_numpy(random.from_generator(model.seed_generator)).astype("int64")
    return int((words[0] * 1_000_003 + words[1]) % (2**31 - 1))
