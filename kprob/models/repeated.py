"""A model's runs for many seeds."""

from collections.abc import Callable

import keras

from kprob.backend import map_draws
from kprob.types import Seed


def map_all(model, function: Callable, seeds: Seed):
    """Runs `function(seed)` for each seed and stacks the results: in one loop, or one by one where Python decides.

    Args:
        model: The model whose networks `function` runs.
        function: From a seed to a structure of tensors.
        seeds: Seeds (S, 2).
    """
    if not model.run_eagerly:
        return map_draws(function, seeds, model.variables)
    each = [function(seed) for seed in keras.ops.unstack(seeds)]
    return keras.tree.map_structure(lambda *values: keras.ops.stack(values), *each)
