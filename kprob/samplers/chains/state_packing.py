"""A sampler's state as one vector for each type of its numbers, for the arguments and results of compiled programs.

A program is called once in each block and chain, and each array among its arguments costs as much as a few trajectories of
a small model.
"""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from kprob.types import Tensor


class StatePacking:
    """Packs states of one structure, and unpacks them.

    Args:
        template: A state.
    """

    def __init__(self, template: Any):
        self._template = template
        leaves = keras.tree.flatten(template)
        self._shapes = [tuple(leaf.shape) for leaf in leaves]
        dtypes = [keras.backend.standardize_dtype(leaf.dtype) for leaf in leaves]
        self._places = {dtype: [i for i, own in enumerate(dtypes) if own == dtype] for dtype in dict.fromkeys(dtypes)}

    def pack(self, state: Any) -> list[Tensor]:
        """Returns the vectors of a state."""
        leaves = keras.tree.flatten(state)
        return [ops.concatenate([ops.reshape(leaves[i], (-1,)) for i in of]) for of in self._places.values()]

    def unpack(self, vectors: list[Tensor]) -> Any:
        """Returns the state of vectors."""
        leaves: list[Any] = [None] * len(self._shapes)
        for vector, of in zip(vectors, self._places.values(), strict=True):
            ends = np.cumsum([math.prod(self._shapes[i]) for i in of]).tolist()
            for place, start, end in zip(of, [0, *ends], ends, strict=False):
                leaves[place] = ops.reshape(vector[start:end], self._shapes[place])
        return keras.tree.pack_sequence_as(self._template, leaves)
