"""Random numbers on TensorFlow, from the counter-based generator Philox2x32-10, written in TensorFlow's own integers.

TensorFlow's generators give other numbers under XLA than in graphs, whatever algorithm one asks for (with a seed that
isn't a constant, "philox" too: XLA scrambles the key once more), and its default is slow there on the CPU. Written out,
the draws are the same eagerly, in graphs and under XLA, up to the last bit of a logarithm or cosine, and XLA fuses them
into what uses them. (Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3".)

A seed is an int32 tensor of shape (2,).
"""

import math
import random as python_random

import keras
import tensorflow as tf

from kprob.types import Shape

_FEW = 16
_GOLDEN = 0x9E3779B9


def seed(number: int) -> tf.Tensor:
    number = int(number)
    low, high = number & 0x7FFFFFFF, (number >> 31) & 0x7FFFFFFF
    return tf.constant([high, low], dtype=tf.int32)


def fresh_seed() -> tf.Tensor:
    return seed(python_random.getrandbits(62))


def from_generator(generator: keras.random.SeedGenerator) -> tf.Tensor:
    # Ordered: the state is (seed, draws so far). Keras's unordered sequence changes the seed too, which orders the rows
    # in `fit`, and it comes round after less than a million steps.
    seed = tf.cast(generator.next(), tf.int32)
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


def fold_in(seed: tf.Tensor, number: int | tf.Tensor) -> tf.Tensor:
    words = tf.bitcast(seed, tf.uint32)
    if isinstance(number, int):
        step = tf.constant(((number + 1) * _GOLDEN) & 0xFFFFFFFF, tf.uint32)
    else:
        step = (tf.cast(number, tf.uint32) + 1) * tf.constant(_GOLDEN, tf.uint32)
    first = _mix(words[0] + step)
    second = _mix(tf.bitwise.bitwise_xor(words[1], first))
    return tf.bitcast(tf.stack([first, second], axis=-1), tf.int32)


def split(seed: tf.Tensor, number: int) -> tf.Tensor:
    return fold_in(seed, tf.range(number))


def normal(shape: Shape, seed: tf.Tensor, dtype: str = "float32") -> tf.Tensor:
    # By Box and Muller's transformation.
    wide = _wide(dtype)
    total = _total(shape)
    pairs = (total + 1) // 2
    first, second = _uniforms(pairs, seed, wide)
    radius = tf.sqrt(-2.0 * tf.math.log(first))
    numbers = tf.concat(_around(radius, second, _few(total)), 0)[:total]
    return tf.cast(tf.reshape(numbers, _as_shape(shape)), dtype)


def _few(total: int | tf.Tensor) -> bool:
    return isinstance(total, int) and total <= _FEW


def _around(radius: tf.Tensor, turn: tf.Tensor, few: bool) -> list[tf.Tensor]:
    # Both coordinates of a point on a circle, `turn` in (0, 1) of the way round.
    if not few:
        angle = tf.constant(2.0 * math.pi, turn.dtype) * turn
        return [radius * tf.cos(angle), radius * tf.sin(angle)]
    # XLA copies what ends in a cheap operation (a cosine is one) into every kernel that uses it, all ten rounds of integers
    # with it; the result of a division it keeps. So from the half angle's tangent, which costs more than it saves for many.
    tangent = tf.tan(tf.constant(math.pi, turn.dtype) * turn)
    square = tangent * tangent
    return [radius * (1.0 - square) / (1.0 + square), 2.0 * radius * tangent / (1.0 + square)]


def uniform(shape: Shape, seed: tf.Tensor, dtype: str = "float32") -> tf.Tensor:
    total = _total(shape)
    numbers = tf.concat(_uniforms((total + 1) // 2, seed, _wide(dtype)), 0)[:total]
    return tf.cast(tf.reshape(numbers, _as_shape(shape)), dtype)


def mixed_uniform(seed: tf.Tensor, number: int | tf.Tensor, dtype: str = "float32") -> tf.Tensor:
    return tf.cast(_fraction(tf.bitcast(fold_in(seed, number), tf.uint32)[..., 1], 9, tf.float32), dtype)


def _uniforms(number: int | tf.Tensor, seed: tf.Tensor, dtype: tf.DType) -> tuple[tf.Tensor, tf.Tensor]:
    # Two independent vectors of uniform numbers: the middles of 2^23 (or 2^52) equal parts of (0, 1). With a bit more the
    # last middle would be rounded to 1, whose logistic or Gumbel number is infinite.
    if dtype == tf.float32:
        return tuple(_fraction(word, 9, dtype) for word in _philox(number, seed))
    high, low = _philox(number, seed), _philox(number, fold_in(seed, 0))
    scale = tf.constant(2.0**-52, dtype)
    return tuple(
        (
            tf.cast(tf.bitwise.right_shift(h, _word(6)), dtype) * 2.0**26
            + tf.cast(tf.bitwise.right_shift(w, _word(6)), dtype)
            + 0.5
        )
        * scale
        for h, w in zip(high, low, strict=True)
    )


def _fraction(word: tf.Tensor, shift: int, dtype: tf.DType) -> tf.Tensor:
    return (tf.cast(tf.bitwise.right_shift(word, _word(shift)), dtype) + 0.5) * tf.constant(2.0 ** (shift - 32), dtype)


def _philox(number: int | tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    # Philox2x32-10: the first word of the seed is the key, the second one and the position are the counter.
    words = tf.bitcast(seed, tf.uint32)
    key = words[0]
    left, right = tf.cast(tf.range(number), tf.uint32), words[1]
    for _ in range(10):
        product = tf.cast(left, tf.uint64) * tf.constant(0xD256D193, tf.uint64)
        high = tf.cast(tf.bitwise.right_shift(product, tf.constant(32, tf.uint64)), tf.uint32)
        low = tf.cast(tf.bitwise.bitwise_and(product, tf.constant(0xFFFFFFFF, tf.uint64)), tf.uint32)
        left, right = tf.bitwise.bitwise_xor(tf.bitwise.bitwise_xor(high, key), right), low
        key = key + _word(_GOLDEN)
    return left, right


def _word(number: int) -> tf.Tensor:
    return tf.constant(number, tf.uint32)


def _wide(dtype: str) -> tf.DType:
    return tf.float64 if tf.as_dtype(dtype) == tf.float64 else tf.float32


def _total(shape: Shape) -> int | tf.Tensor:
    if all(isinstance(size, int) for size in shape):
        return math.prod(shape)
    return tf.reduce_prod(_as_shape(shape))


def _as_shape(shape: Shape) -> tf.Tensor:
    return tf.convert_to_tensor(shape, dtype=tf.int32) if len(shape) else tf.zeros([0], tf.int32)
