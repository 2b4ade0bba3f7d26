"""A model's own random numbers: the seeds that its answers begin with."""

import keras

from kprob.backend import random
from kprob.checks import check_count
from kprob.engine.host import Host
from kprob.types import Seed


def seed_of(host: Host, seed: int | None) -> Seed:
    """Returns the seed that an int stands for, or the next of the model's own."""
    if seed is None:
        return random.from_generator(host.seed_generator)
    check_count("seed", seed, 0)
    return random.seed(seed)


def random_number(host: Host) -> int:
    """Returns the next integer of a model's own random numbers."""
    words = keras.ops.convert_to_numpy(random.from_generator(host.seed_generator)).astype("int64")
    return int((words[0] * 1_000_003 + words[1]) % (2**31 - 1))


def number_of(host: Host, seed: int | None) -> int:
    """Returns a seed as it is, checked, or the next integer of the model's own random numbers."""
    if seed is None:
        return random_number(host)
    check_count("seed", seed, 0)
    return int(seed)
