"""Swaps of replicas."""

import keras
import numpy as np

import kprob
from kprob.samplers.kernels.replica_exchange import exchange


def test_swaps_follow_the_ratio():
    betas = keras.ops.convert_to_tensor(np.array([1.0, 0.5, 0.25], "float32"))
    better_below = keras.ops.convert_to_tensor(np.array([-10.0, 0.0, 5.0], "float32"))
    even = exchange(better_below, betas, keras.ops.convert_to_tensor(np.int32(0)), kprob.backend.random.seed(1))
    odd = exchange(better_below, betas, keras.ops.convert_to_tensor(np.int32(1)), kprob.backend.random.seed(1))
    assert keras.ops.convert_to_numpy(even).tolist() == [1, 0, 2]
    assert keras.ops.convert_to_numpy(odd).tolist() == [0, 2, 1]
    hopeless = keras.ops.convert_to_tensor(np.array([0.0, -1000.0, -2000.0], "float32"))
    stay = exchange(hopeless, betas, keras.ops.convert_to_tensor(np.int32(0)), kprob.backend.random.seed(1))
    assert keras.ops.convert_to_numpy(stay).tolist() == [0, 1, 2]
