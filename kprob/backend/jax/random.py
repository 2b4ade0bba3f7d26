"""Random numbers on JAX: the counter-based Threefry generator, which JAX uses eagerly and compiled alike.

A seed is a raw key, a uint32 array of shape (2,).
"""

import random as python_random

import jax
import jax.numpy as jnp
import keras

from kprob.types import Shape

_GOLDEN = 0x9E3779B9


def seed(number: int) -> jax.Array:
    number = int(number)
    return jnp.array([(number >> 31) & 0x7FFFFFFF, number & 0x7FFFFFFF], dtype=jnp.uint32)


def fresh_seed() -> jax.Array:
    return seed(python_random.getrandbits(62))


def from_generator(generator: keras.random.SeedGenerator) -> jax.Array:
    # Ordered: the state is (seed, draws so far), and the seed, which orders the rows in `fit`, stays.
    return jnp.asarray(generator.next(), dtype=jnp.uint32)


def fold_in(seed: jax.Array, number: int | jax.Array) -> jax.Array:
    # As on TensorFlow, by a hash: JAX's own way is a Threefry block, and a loop in the compiled program, per seed.
    if isinstance(number, int):
        step = jnp.uint32(((number + 1) * _GOLDEN) & 0xFFFFFFFF)
    else:
        step = (jnp.asarray(number).astype(jnp.uint32) + jnp.uint32(1)) * jnp.uint32(_GOLDEN)
    first = _mix(seed[0] + step)
    return jnp.stack([first, _mix(seed[1] ^ first)], axis=-1)


def _mix(word: jax.Array) -> jax.Array:
    # The finaliser of MurmurHash3: a bijection of 32-bit words in which every bit of the input moves every bit.
    word = (word ^ (word >> 16)) * jnp.uint32(0x85EBCA6B)
    word = (word ^ (word >> 13)) * jnp.uint32(0xC2B2AE35)
    return word ^ (word >> 16)


def split(seed: jax.Array, number: int) -> jax.Array:
    return fold_in(seed, jnp.arange(number))


def normal(shape: Shape, seed: jax.Array, dtype: str = "float32") -> jax.Array:
    return jax.random.normal(seed, tuple(shape), dtype=dtype)


def uniform(shape: Shape, seed: jax.Array, dtype: str = "float32") -> jax.Array:
    low = 1e-7 if jnp.dtype(dtype).itemsize <= 4 else 1e-16
    return jax.random.uniform(seed, tuple(shape), dtype=dtype, minval=low, maxval=1.0)


def mixed_uniform(seed: jax.Array, number: int | jax.Array, dtype: str = "float32") -> jax.Array:
    word = fold_in(seed, number)[..., 1]
    return ((word >> 9).astype(dtype) + 0.5) * jnp.asarray(2.0**-23, dtype)
