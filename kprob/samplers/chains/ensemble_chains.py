"""Chains that learn from each other: one compiled program moves all of them at once."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from kprob.backend import compile_function, random, vectorized_map
from kprob.density import LogDensity
from kprob.numerics import to_numpy
from kprob.samplers.chains.programs import ChainPrograms, MovedChains
from kprob.samplers.kernels.kernel import Info, Kernel
from kprob.samplers.sampler import Sampler
from kprob.types import Seed, Tensor


class EnsembleChains(ChainPrograms):
    """The compiled programs of a sampler whose state is that of all chains, the position (chains, d).

    Args:
        sampler: The sampler.
        density: The log-density.
        variables: Returns the Keras variables that the density reads.
    """

    def __init__(self, sampler: Sampler, density: LogDensity, variables: Callable):
        super().__init__(sampler, density, variables)

        def kernel(batch: dict) -> Kernel:
            return sampler.kernel(lambda u: vectorized_map(lambda one: density(one, batch), u, variables()))

        def block(state: Any, seed: Seed, number: Tensor, batch: dict) -> tuple:
            length, chains = sampler.block_size, sampler.num_chains
            dtype = keras.backend.standardize_dtype(state.position.dtype)

            def body(i: Tensor, state: Any, positions: Tensor, infos: Tensor) -> tuple:
                state, info = kernel(batch).step(random.fold_in(seed, state.iteration), state)
                rows = ops.stack([ops.broadcast_to(ops.cast(v, dtype), (chains,)) for v in info], axis=-1)
                zero = ops.zeros_like(i)
                positions = ops.slice_update(positions, (i, zero, zero), state.position[None])
                return i + 1, state, positions, ops.slice_update(infos, (i, zero, zero), rows[None])

            empty = (
                ops.zeros((length, chains, density.size), dtype),
                ops.zeros((length, chains, len(Info._fields)), dtype),
            )
            start = (ops.zeros((), "int32"), state, *empty)
            return ops.while_loop(lambda i, *_: i < number, body, start)[1:]

        self._init = compile_function(lambda vectors, batch: kernel(batch).init(vectors), variables, jit=True)
        self._together = compile_function(block, variables, jit=True)
        self._template: Any = None

    def start(self, vectors: list[np.ndarray], batch: dict) -> list[list[np.ndarray]]:
        """Returns the one state of all chains, as a list of one list of arrays."""
        return [_leaves(self._init(ops.convert_to_tensor(np.stack(vectors)), batch))]

    def run(self, states: list, seeds: list, number: int, batch: dict) -> MovedChains:
        if self._template is None:  # only for its structure
            self._template = self._init(ops.convert_to_tensor(states[0][0]), batch)
        state = keras.tree.pack_sequence_as(self._template, [ops.convert_to_tensor(leaf) for leaf in states[0]])
        count = ops.convert_to_tensor(np.int32(number))
        state, positions, infos = self._together(state, ops.convert_to_tensor(seeds[0]), count, batch)
        positions, infos = (np.swapaxes(to_numpy(value)[:number], 0, 1) for value in (positions, infos))
        return MovedChains([_leaves(state)], positions, infos)


def _leaves(state: Any) -> list[np.ndarray]:
    return to_numpy(keras.tree.flatten(state))
