"""Seeds from what a user gives."""

import keras
import numpy as np
import pytest

from kprob.backend import next_number, numpy_generator, random, seed_of
from kprob.errors import KprobError
from kprob.numerics import to_numpy


def test_a_seed_of_an_integer_or_the_generators_next():
    generator, same = (keras.random.SeedGenerator(7) for _ in range(2))
    np.testing.assert_array_equal(to_numpy(seed_of(3, generator)), to_numpy(random.seed(3)))
    np.testing.assert_array_equal(to_numpy(seed_of(None, generator)), to_numpy(random.from_generator(same)))
    assert np.any(to_numpy(seed_of(None, generator)) != to_numpy(random.from_generator(keras.random.SeedGenerator(7))))
    with pytest.raises(KprobError, match="`seed` must be an int of 0 or more"):
        seed_of(-1, generator)


def test_numpy_generators_follow_from_seed_and_stream():
    first, again, other = (numpy_generator(random.seed(3), stream).random(4) for stream in (1, 1, 2))
    assert first.tolist() == again.tolist() != other.tolist()


def test_numbers_follow_from_the_generator():
    numbers, same = keras.random.SeedGenerator(7), keras.random.SeedGenerator(7)
    found = [next_number(numbers) for _ in range(4)]
    assert found == [next_number(same) for _ in range(4)]
    assert len(set(found)) == 4 and all(0 <= number < 2**31 - 1 for number in found)
