"""Chains that move by themselves: one compiled program of a block, and threads that run it for each chain."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import keras
import numpy as np

from kprob.backend import name as backend
from kprob.backend import precision, random
from kprob.density import LogDensity
from kprob.errors import CompileError, explain
from kprob.numerics import to_numpy
from kprob.samplers.chains.block import make_block, make_init
from kprob.samplers.chains.programs import ChainPrograms, MovedChains, to_tensors
from kprob.samplers.chains.state_packing import StatePacking
from kprob.samplers.sampler import Sampler


class _MovedChain(NamedTuple):
    state: list[np.ndarray]
    positions: np.ndarray
    infos: np.ndarray


class SeparateChains(ChainPrograms):
    """The compiled programs by which a sampler moves chains, each by itself.

    Inside `with chains:` the threads that move them stay; outside, chains move one after the other.

    Args:
        sampler: The sampler.
        density: The log-density.
        variables: Returns the Keras variables that the density reads.
        batch_size: Rows of the data that a transition sees; all of them where it's left out.
    """

    def __init__(self, sampler: Sampler, density: LogDensity, variables: Callable, batch_size: int | None = None):
        sampler = sampler.for_latents(density.latents)
        _check_method(sampler)
        super().__init__(sampler, density, variables)
        self._compiled = False
        self._pool: ThreadPoolExecutor | None = None
        self._variables, self._batch_size = variables, batch_size
        self._vectorized = sampler.chain_method == "vectorized"
        self._init = make_init(sampler, density, variables)
        self._block: Callable | None = None

    def start(self, vectors: list[np.ndarray], batch: dict) -> list[list[np.ndarray]]:
        states = [self._init(keras.ops.convert_to_tensor(vector), batch) for vector in vectors]
        packing = StatePacking(states[0])
        return [to_numpy(packing.pack(state)) for state in states]

    def run(self, states: list, seeds: list, number: int, batch: dict) -> MovedChains:
        block = self._make_block(batch)

        def once(chain: int) -> _MovedChain:
            with precision(self.sampler.dtype):  # which belongs to a thread
                arguments = to_tensors([seeds[chain], np.int32(number)])
                state, positions, infos = block(to_tensors(states[chain]), *arguments, batch)
                return _MovedChain(to_numpy(state), to_numpy(positions)[:number], to_numpy(infos)[:number])

        if self._vectorized:
            return self._in_one_program(block, states, seeds, number, batch)
        moved = self._side_by_side(once, len(states))
        return MovedChains(
            [chain.state for chain in moved],
            np.stack([chain.positions for chain in moved]),
            np.stack([chain.infos for chain in moved]),
        )

    def __enter__(self) -> "SeparateChains":
        sampler, cores = self.sampler, os.cpu_count() or 1
        threads = sampler.chain_method == "threads" or (sampler.chain_method == "auto" and cores > 1)
        if threads and sampler.num_chains > 1:
            self._pool = ThreadPoolExecutor(min(sampler.num_chains, cores))
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def _make_block(self, batch: dict) -> Callable:
        if self._block is None:
            sampler, density, variables = self.sampler, self.density, self._variables
            anywhere = keras.ops.zeros((density.size,), sampler.dtype)
            packing = StatePacking(self._init(anywhere, batch))
            self._block = make_block(
                sampler, density, sampler.block_size, variables, packing, self._batch_size, self._vectorized
            )
        return self._block

    def _in_one_program(self, block: Callable, states: list, seeds: list, number: int, batch: dict) -> MovedChains:
        together = to_tensors([np.stack(vectors) for vectors in zip(*states, strict=True)])
        together, positions, infos = block(together, *to_tensors([np.stack(seeds), np.int32(number)]), batch)
        apart = [list(vectors) for vectors in zip(*to_numpy(together), strict=True)]
        return MovedChains(apart, to_numpy(positions)[:, :number], to_numpy(infos)[:, :number])

    def _side_by_side(self, once: Callable[[int], _MovedChain], chains: int) -> list[_MovedChain]:
        # The compiled call releases Python's lock, so chains in threads use several cores; each waits only for its own
        # trees, where chains side by side in one program would all wait for the longest.
        if self._pool is None:
            return [once(chain) for chain in range(chains)]
        done: list[_MovedChain] = []
        if not self._compiled:  # by one thread
            done, self._compiled = [once(0)], True
        return [*done, *self._pool.map(once, range(len(done), chains))]


def _check_method(sampler: Sampler) -> None:
    if sampler.chain_method == "vectorized" and backend == "tensorflow":
        raise CompileError(
            explain(
                f"The chains of {type(sampler).__name__} can't move in one program on TensorFlow.",
                received='chain_method="vectorized" on Keras\'s TensorFlow backend',
                expected='"vectorized" on the JAX backend, or another method',
                fix='write chain_method="auto", use kprob.samplers.ChEES, whose chains always do, or set KERAS_BACKEND=jax',
            )
        )


def chain_seeds(seed: int, chains: int) -> list[np.ndarray]:
    """Returns a seed for each chain."""
    base = random.seed(seed)
    return [to_numpy(random.fold_in(base, chain)) for chain in range(chains)]
