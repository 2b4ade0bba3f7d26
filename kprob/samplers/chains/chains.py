"""Chains side by side: the compiled programs of a sampler and a density, and threads that run them."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np

from kprob.backend import compile_function, gradients, map_draws, precision, random
from kprob.backend import name as backend
from kprob.density import LogDensity
from kprob.errors import CompileError, explain
from kprob.numerics import to_numpy
from kprob.samplers.chains.block import make_block, make_init
from kprob.samplers.chains.packing import Packing
from kprob.samplers.sampler import Sampler


class Chains:
    """The compiled programs by which a sampler moves on a density. Data is an argument: new data needs no new program.

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
        self.sampler, self.density = sampler, density
        self._compiled = False
        self._pool: ThreadPoolExecutor | None = None
        self._variables, self._batch_size = variables, batch_size
        self._vectorized = sampler.chain_method == "vectorized"
        self._init = make_init(sampler, density, variables)
        self._block: Callable | None = None
        self._values = compile_function(
            lambda positions, batch: map_draws(lambda u: density.values(u, batch), positions, variables()),
            variables,
            jit=True,
        )
        self.evaluate = compile_function(
            lambda vector, batch: gradients(lambda u: density(u, batch), vector), variables, jit=True
        )

    def start(self, vectors: list[np.ndarray], batch: dict) -> list[list[np.ndarray]]:
        """Returns the states of chains that start at positions, as lists of arrays."""
        states = [self._init(keras.ops.convert_to_tensor(vector), batch) for vector in vectors]
        packing = Packing(states[0])
        return [to_numpy(packing.pack(state)) for state in states]

    def run(self, states: list, seeds: list, number: int, batch: dict) -> tuple[list, np.ndarray, np.ndarray]:
        """Makes some transitions of every chain.

        Args:
            states: States of the chains, as lists of arrays.
            seeds: Seed of each chain.
            number: Transitions, at most the sampler's `block_size`.
            batch: The data.

        Returns:
            New states, positions (chains, number, d) and what each transition told (chains, number, fields).
        """
        block = self._make_block(batch)

        def once(chain: int) -> tuple:
            with precision(self.sampler.dtype):  # which belongs to a thread
                found = block(_tensors(states[chain]), *_tensors([seeds[chain], np.int32(number)]), batch)
                state, positions, infos = found
                return to_numpy(state), to_numpy(positions)[:number], to_numpy(infos)[:number]

        if self._vectorized:
            return self._in_one_program(block, states, seeds, number, batch)
        found = self._side_by_side(once, len(states))
        return [f[0] for f in found], np.stack([f[1] for f in found]), np.stack([f[2] for f in found])

    def _make_block(self, batch: dict) -> Callable:
        if self._block is None:
            sampler, density, variables = self.sampler, self.density, self._variables
            anywhere = keras.ops.zeros((density.size,), sampler.dtype)
            packing = Packing(self._init(anywhere, batch))
            self._block = make_block(
                sampler, density, sampler.block_size, variables, packing, self._batch_size, self._vectorized
            )
        return self._block

    def _in_one_program(self, block: Callable, states: list, seeds: list, number: int, batch: dict) -> tuple:
        together = _tensors([np.stack(vectors) for vectors in zip(*states, strict=True)])
        together, positions, infos = block(together, *_tensors([np.stack(seeds), np.int32(number)]), batch)
        apart = [list(vectors) for vectors in zip(*to_numpy(together), strict=True)]
        return apart, to_numpy(positions)[:, :number], to_numpy(infos)[:, :number]

    def values(self, positions: np.ndarray, batch: dict) -> dict[str, np.ndarray]:
        """Returns the latents' values at positions (chains, number, d): by name, (chains, number, ...)."""
        chains, number = positions.shape[:2]
        flat = np.zeros((chains * self.sampler.block_size, positions.shape[2]), positions.dtype)
        flat[: chains * number] = positions.reshape(chains * number, -1)
        flat[chains * number :] = positions[0, 0]  # always one length, so that one program does
        found = self._values(keras.ops.convert_to_tensor(flat), batch)
        return {
            name: to_numpy(value)[: chains * number].reshape(chains, number, *value.shape[1:])
            for name, value in found.items()
        }

    def __enter__(self) -> "Chains":
        sampler, cores = self.sampler, os.cpu_count() or 1
        threads = sampler.chain_method == "threads" or (sampler.chain_method == "auto" and cores > 1)
        if threads and not sampler.ensemble and sampler.num_chains > 1:
            self._pool = ThreadPoolExecutor(min(sampler.num_chains, cores))
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def _side_by_side(self, once: Callable, chains: int) -> list:
        # The compiled call releases Python's lock, so chains in threads use several cores; each waits only for its own
        # trees, where chains side by side in one program would all wait for the longest.
        if self._pool is None:
            return [once(chain) for chain in range(chains)]
        done = []
        if not self._compiled:  # by one thread
            done, self._compiled = [once(0)], True
        return [*done, *self._pool.map(once, range(len(done), chains))]


def _check_method(sampler: Sampler) -> None:
    if sampler.chain_method == "vectorized" and backend == "tensorflow" and not sampler.ensemble:
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


def _tensors(values: list) -> list:
    return [keras.ops.convert_to_tensor(value) for value in values]
