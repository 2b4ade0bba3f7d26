"""Swaps between replicas of a chain at neighbouring temperatures."""

import keras
from keras import ops

from kprob.backend import random
from kprob.types import Seed, Tensor


def exchange(values: Tensor, betas: Tensor, iteration: Tensor, seed: Seed) -> Tensor:
    """Returns which replica takes each place after swaps of neighbours, even and odd pairs by turns.

    Args:
        values: Log-densities of the replicas (not tempered).
        betas: Their powers.
        iteration: Transitions so far.
        seed: A seed.
    """
    number = betas.shape[0]
    places = ops.arange(number, dtype="int32")
    ratio = (betas[:-1] - betas[1:]) * (values[1:] - values[:-1])
    luck = ops.log(random.uniform((number - 1,), seed, keras.backend.standardize_dtype(betas.dtype)))
    turn = (places[:-1] % 2) == (iteration % 2)
    swaps = ops.cast(ops.logical_and(luck < ratio, turn), "int32")
    zero = ops.zeros((1,), "int32")
    return places + ops.concatenate([swaps, zero]) - ops.concatenate([zero, swaps])
