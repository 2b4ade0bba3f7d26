"""States as vectors: what is packed comes out as it was."""

from typing import NamedTuple

import keras
import numpy as np

from kprob.samplers.chains.state_packing import StatePacking

ops = keras.ops


class Inner(NamedTuple):
    matrix: object
    flag: object


class State(NamedTuple):
    position: object
    iteration: object
    inner: Inner
    nothing: tuple = ()


def test_packed_and_unpacked():
    state = State(
        ops.convert_to_tensor(np.arange(3, dtype="float32")),
        ops.convert_to_tensor(np.int32(7)),
        Inner(ops.convert_to_tensor(np.arange(6, dtype="float32").reshape(2, 3)), ops.convert_to_tensor(True)),
    )
    packing = StatePacking(state)
    vectors = packing.pack(state)
    assert [tuple(vector.shape) for vector in vectors] == [(9,), (1,), (1,)]
    again = packing.unpack(vectors)
    assert isinstance(again, State) and isinstance(again.inner, Inner) and again.nothing == ()
    for one, other in zip(keras.tree.flatten(state), keras.tree.flatten(again), strict=True):
        assert one.dtype == other.dtype and tuple(one.shape) == tuple(other.shape)
        np.testing.assert_array_equal(ops.convert_to_numpy(one), ops.convert_to_numpy(other))
