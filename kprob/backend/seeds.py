"""Seeds from what a user gives, and NumPy's random numbers from seeds."""

import keras
import numpy as np

from kprob.backend.active import random
from kprob.checks import check_count
from kprob.types import ArrayLike, Seed


def seed_of(number: int | None, generator: keras.random.SeedGenerator) -> Seed:
    """Returns the seed of an integer that a user gave, or a generator's next where there is none.

    Raises:
        KprobError: It is no integer of 0 or more.
    """
    if number is None:
        return random.from_generator(generator)
    check_count("seed", number, 0)
    return random.seed(number)


def numpy_generator(seed: Seed, stream: int) -> np.random.Generator:
    """Returns a NumPy generator that a seed determines.

    Args:
        seed: The seed.
        stream: An integer; different ones give independent generators.
    """
    words = keras.ops.convert_to_numpy(random.fold_in(seed, stream)).astype("int64") & 0xFFFFFFFF
    return np.random.default_rng(words.tolist())


def next_number(generator: keras.random.SeedGenerator) -> int:
    """Returns the next integer of a generator, as a seed that Python can hold."""
    words = keras.ops.convert_to_numpy(random.from_generator(generator)).astype("int64")
    return int((words[0] * 1_000_003 + words[1]) % (2**31 - 1))


def number_of(number: int | None, generator: keras.random.SeedGenerator) -> int:
    """Returns the integer that a user gave, or a generator's next where there is none.

    Raises:
        KprobError: It is no integer of 0 or more.
    """
    if number is None:
        return next_number(generator)
    check_count("seed", number, 0)
    return int(number)


def own_seed(words: ArrayLike) -> np.ndarray:
    """Returns a seed that was stored, perhaps by another backend, in the integers of this one: the same bits."""
    own = keras.ops.convert_to_numpy(random.seed(0)).dtype
    return (np.asarray(words).astype("int64") & 0xFFFFFFFF).astype("uint32").view(own)
