"""Random numbers on TensorFlow, from the counter-based Philox generator.

TensorFlow's default picks another algorithm under XLA than in graphs: draws would change with `jit_compile`, and come
slowly on the CPU. Philox, named explicitly, gives the same draws eagerly, in graphs and under XLA. (Salmon, Moraes, Dror
and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3".)

A seed is an int32 tensor of shape (2,), as TFP takes it.
"""

import random as python_random

import tensorflow as tf

_GOLDEN = 0x9E3779B9


def seed(number: int) -> tf.Tensor:
    """Returns the seed that belongs to an integer."""
    number = int(number)
    low, high = number & 0x7FFFFFFF, (number >> 31) & 0x7FFFFFFF
    return tf.constant([high, low], dtype=tf.int32)


def fresh_seed() -> tf.Tensor:
    """Returns a new seed from Python's generator, which `keras.utils.set_random_seed` sets."""
    return seed(python_random.getrandbits(62))


def from_generator(generator) -> tf.Tensor:
    """Returns the next seed of a `keras.random.SeedGenerator`."""
    state = generator.next()
    return tf.cast(tf.math.floormod(state, tf.cast(tf.int32.max - 1, state.dtype)), tf.int32)
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return seed
    # Mirrored replicas have the same generator and must draw different noise.
    return fold_in(seed, replica.replica_id_in_sync_group)


def _mix(word: tf.Tensor) -> tf.Tensor:
    # The finaliser of MurmurHash3: a bijection of 32-bit words in which every bit of the input moves every bit.
    shift = tf.bitwise.right_shift
    word = tf.bitwise.bitwise_xor(word, shift(word, tf.constant(16, tf.uint32)))
    word = word * tf.constant(0x85EBCA6B, tf.uint32)
    word = tf.bitwise.bitwise_xor(word, shift(word, tf.constant(13, tf.uint32)))
    word = word * tf.constant(0xC2B2AE35, tf.uint32)
    return tf.bitwise.bitwise_xor(word, shift(word, tf.constant(16, tf.uint32)))


def fold_in(seed: tf.Tensor, number) -> tf.Tensor:
    """Returns a seed made from another seed and an integer; different integers give independent streams."""
    words = tf.bitcast(seed, tf.uint32)
    if isinstance(number, int):
        step = tf.constant(((number + 1) * _GOLDEN) & 0xFFFFFFFF, tf.uint32)
    else:
        step = (tf.cast(number, tf.uint32) + 1) * tf.constant(_GOLDEN, tf.uint32)
    first = _mix(words[0] + step)
    second = _mix(tf.bitwise.bitwise_xor(words[1], first))
    return tf.bitcast(tf.stack([first, second]), tf.int32)


def split(seed: tf.Tensor, number: int) -> tf.Tensor:
    """Returns `number` independent seeds, shape (number, 2)."""
    return tf.vectorized_map(lambda i: fold_in(seed, i), tf.range(number)) if number > 64 else tf.stack(
        [fold_in(seed, i) for i in range(number)]
    )


def normal(shape, seed: tf.Tensor, dtype="float32") -> tf.Tensor:
    """Returns standard normal numbers of a shape (its entries may be tensors)."""
    return tf.random.stateless_normal(shape, seed, dtype=dtype, alg="philox")


def uniform(shape, seed: tf.Tensor, dtype="float32") -> tf.Tensor:
    """Returns numbers uniform in the open interval (0, 1), so that logarithms of them are finite."""
    tiny = tf.as_dtype(dtype).as_numpy_dtype(0).dtype
    low = 1e-7 if tiny.itemsize <= 4 else 1e-16
    return tf.random.stateless_uniform(shape, seed, minval=low, maxval=1.0, dtype=dtype, alg="philox")
