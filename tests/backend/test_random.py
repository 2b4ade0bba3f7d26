"""Random numbers: the same eagerly and compiled, independent between streams, and of the right distribution."""

import keras
import numpy as np
import pytest
from scipy import stats

from kprob.backend import compile_function, random


def numpy(value):
    return keras.ops.convert_to_numpy(value)


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("draw", [random.normal, random.uniform])
def test_draws_are_the_same_eagerly_and_compiled(draw, jit):
    compiled = compile_function(lambda seed: draw((1001,), random.fold_in(seed, 3)), jit=jit)
    seed = random.seed(11)
    assert numpy(compiled(seed)) == pytest.approx(numpy(draw((1001,), random.fold_in(seed, 3))), abs=2e-6)
    other = numpy(compiled(random.seed(12)))
    assert other == pytest.approx(numpy(draw((1001,), random.fold_in(random.seed(12), 3))), abs=2e-6)
    assert np.abs(other - numpy(compiled(seed))).max() > 0.1


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX has its own generator")
def test_philox_gives_its_published_numbers():
    # From the known-answer file of Random123 (Salmon et al. 2011): philox2x32, 10 rounds, counter 0, key 0.
    import tensorflow as tf

    from kprob.backend.tensorflow import random as tensorflow_random

    words = tensorflow_random._philox(1, tf.constant([0, 0], tf.int32))
    assert [hex(int(word[0])) for word in words] == ["0xff1dae59", "0x6cd10df2"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_distributions(dtype):
    if dtype == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX has float64 only where it is switched on")
    normal = numpy(random.normal((50_000,), random.seed(1), dtype))
    uniform = numpy(random.uniform((50_000,), random.seed(2), dtype))
    assert normal.dtype == uniform.dtype == dtype
    assert stats.kstest(normal, "norm").pvalue > 0.01
    assert stats.kstest(uniform, "uniform").pvalue > 0.01
    assert uniform.min() > 0 and uniform.max() < 1


def test_streams_are_independent():
    by_fold = np.stack([numpy(random.normal((2000,), random.fold_in(random.seed(3), i))) for i in range(20)])
    by_seed = np.stack([numpy(random.normal((2000,), random.seed(i))) for i in range(20)])
    split = np.stack([numpy(random.normal((2000,), seed)) for seed in random.split(random.seed(4), 20)])
    for draws in (by_fold, by_seed, split):
        correlations = np.corrcoef(draws) - np.eye(20)
        assert np.abs(correlations).max() < 5 / np.sqrt(2000)


def test_folding_twice_depends_on_the_order():
    seed = random.seed(0)
    one = numpy(random.fold_in(random.fold_in(seed, 1), 2))
    other = numpy(random.fold_in(random.fold_in(seed, 2), 1))
    assert not np.array_equal(one, other)
    traced = compile_function(lambda i: random.fold_in(seed, i))(keras.ops.convert_to_tensor(5))
    assert np.array_equal(numpy(traced), numpy(random.fold_in(seed, 5)))


def test_shapes():
    assert random.normal((), random.seed(0)).shape == ()
    assert tuple(random.normal((2, 3), random.seed(0)).shape) == (2, 3)
    assert tuple(random.uniform((0,), random.seed(0)).shape) == (0,)


def test_mixed_uniform_numbers():
    numbers = keras.ops.arange(20_000)
    found = np.stack([numpy(random.mixed_uniform(random.fold_in(random.seed(5), i), numbers)) for i in range(8)])
    assert found.min() > 0 and found.max() < 1
    for row in found:
        assert stats.kstest(row, "uniform").pvalue > 1e-4
        assert abs(np.corrcoef(row[1:], row[:-1])[0, 1]) < 5 / np.sqrt(20_000)
    assert np.abs(np.corrcoef(found) - np.eye(8)).max() < 5 / np.sqrt(20_000)
    one = compile_function(lambda seed: random.mixed_uniform(seed, 7), jit=True)(random.fold_in(random.seed(5), 2))
    assert float(one) == found[2, 7]
