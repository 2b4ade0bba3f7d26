"""The compiled programs of a log-density and of chains that move on it. Data is an argument: new data needs no new program."""

from abc import abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np

from kprob.backend import compile_function, gradients, map_draws
from kprob.density import LogDensity
from kprob.numerics import to_numpy
from kprob.samplers.sampler import Sampler
from kprob.types import Tensor


class DensityPrograms:
    """The compiled programs of a log-density.

    Args:
        density: The log-density.
        variables: Returns the Keras variables that the density reads.
        block_size: Positions of a chain, at most, whose values are asked for at once.

    Attributes:
        evaluate: `(vector, batch) -> (log_density, (gradient,))`.
    """

    def __init__(self, density: LogDensity, variables: Callable, block_size: int):
        self.density = density
        self._block_size = block_size
        self._values = compile_function(
            lambda positions, batch: map_draws(lambda u: density.values(u, batch), positions, variables()),
            variables,
            jit=True,
        )
        self.evaluate = compile_function(
            lambda vector, batch: gradients(lambda u: density(u, batch), vector), variables, jit=True
        )

    def values(self, positions: np.ndarray, batch: dict) -> dict[str, np.ndarray]:
        """Returns the latents' values at positions (chains, number, d): by name, (chains, number, ...)."""
        chains, number = positions.shape[:2]
        flat = np.zeros((chains * self._block_size, positions.shape[2]), positions.dtype)
        flat[: chains * number] = positions.reshape(chains * number, -1)
        flat[chains * number :] = positions[0, 0]  # always one length, so that one program does
        values = self._values(keras.ops.convert_to_tensor(flat), batch)
        return {
            name: to_numpy(value)[: chains * number].reshape(chains, number, *value.shape[1:])
            for name, value in values.items()
        }


class MovedChains(NamedTuple):
    """Chains after some transitions.

    Attributes:
        states: Their states, as lists of arrays.
        positions: (chains, transitions, d).
        infos: What each transition reports, (chains, transitions, fields of `Info`).
    """

    states: list[list[np.ndarray]]
    positions: np.ndarray
    infos: np.ndarray


class ChainPrograms(DensityPrograms):
    """The compiled programs by which a sampler moves chains on a density.

    Inside `with chains:` whatever moves the chains, such as threads, stays between blocks.

    To subclass, override `start` and `run`.

    Args:
        sampler: The sampler.
        density: The log-density.
        variables: Returns the Keras variables that the density reads.
    """

    def __init__(self, sampler: Sampler, density: LogDensity, variables: Callable):
        super().__init__(density, variables, sampler.block_size)
        self.sampler = sampler

    @abstractmethod
    def start(self, vectors: list[np.ndarray], batch: dict) -> list[list[np.ndarray]]:
        """Returns the states of chains that start at positions, as lists of arrays."""

    @abstractmethod
    def run(self, states: list, seeds: list, number: int, batch: dict) -> MovedChains:
        """Makes some transitions of every chain.

        Args:
            states: States of the chains, as lists of arrays.
            seeds: Seed of each chain.
            number: Transitions, at most the sampler's `block_size`.
            batch: The data.
        """

    def __enter__(self) -> "ChainPrograms":
        return self

    def __exit__(self, *_: object) -> None:
        return None


def to_tensors(arrays: list) -> list[Tensor]:
    """Returns arrays as tensors."""
    return [keras.ops.convert_to_tensor(array) for array in arrays]
