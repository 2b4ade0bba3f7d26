"""Many transitions of one chain in one compiled program."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from kprob.backend import compile_function, random, vectorized_map
from kprob.data import take_rows
from kprob.density import LogDensity
from kprob.samplers.chains.state_packing import StatePacking
from kprob.samplers.kernels.kernel import Info
from kprob.samplers.sampler import Sampler
from kprob.types import Seed, Tensor


def make_block(
    sampler: Sampler,
    log_density: LogDensity,
    length: int,
    variables: Callable,
    packing: StatePacking,
    batch_size: int | None = None,
    vectorized: bool = False,
) -> Callable:
    """Compiles a block of transitions.

    Args:
        sampler: The sampler.
        log_density: The log-density.
        length: Transitions at most.
        variables: Returns the Keras variables that `log_density` reads.
        packing: Of the sampler's states.
        batch_size: Rows of the data that a transition sees, taken at random; all of them where it's left out.
        vectorized: Whether states and seeds are those of several chains, along a new first axis, which move in one program.

    Returns:
        `block(state, seed, number, batch)` makes `number` transitions from a packed state, each with its own seed, made of
        the chain's and of the iteration, so that it makes no difference how a chain is cut into blocks. It returns the new
        packed state, positions (length, size) and the fields of `Info` (length, fields).
    """

    def block(packed: list[Tensor], seed: Seed, number: Tensor, batch: dict) -> tuple:
        state = packing.unpack(packed)
        dtype = keras.backend.standardize_dtype(state.position.dtype)

        def body(i: Tensor, state: Any, positions: Tensor, infos: Tensor) -> tuple:
            key = random.fold_in(seed, state.iteration)
            part = batch if batch_size is None else take_rows(batch, batch_size, random.fold_in(key, 0))
            state, info = sampler.kernel(lambda vector: log_density(vector, part)).step(key, state)
            row = ops.stack([ops.cast(value, dtype) for value in info])
            positions = ops.slice_update(positions, (i, ops.zeros_like(i)), state.position[None])
            return i + 1, state, positions, ops.slice_update(infos, (i, ops.zeros_like(i)), row[None])

        empty = ops.zeros((length, log_density.size), dtype), ops.zeros((length, len(Info._fields)), dtype)
        start = (ops.zeros((), "int32"), state, *empty)
        _, state, positions, infos = ops.while_loop(lambda i, *_: i < number, body, start)
        return packing.pack(state), positions, infos

    def blocks(states: Any, seeds: Seed, number: Tensor, batch: dict) -> tuple:
        return vectorized_map(lambda one: block(one[0], one[1], number, batch), (states, seeds), variables())

    return compile_function(blocks if vectorized else block, variables, jit=True)


def make_init(sampler: Sampler, log_density: Callable, variables: Callable) -> Callable:
    """Compiles `init(vector, batch)`, which returns the state of a chain that starts at a position."""
    return compile_function(
        lambda vector, batch: sampler.kernel(lambda u: log_density(u, batch)).init(vector), variables, jit=True
    )
