"""A model's compiled programs, which it keeps by what they do, and its runs for many seeds."""

from collections.abc import Callable
from typing import Any

import keras

from kprob.backend import compile_function, map_draws
from kprob.types import Seed


def cached(model, key: tuple, make: Callable) -> Any:
    """Returns what `make()` made when it was first asked for, for the guide as it is now.

    Args:
        model: The model, whose guide may do one thing while it's trained and another one after.
        key: What tells it from the model's other programs.
        make: Makes it.
    """
    programs, key = model.__dict__["_programs"], (*key, model.phase_of_guide)
    if key not in programs:
        programs[key] = make()
    return programs[key]


def compiled(model, key: tuple, program: Callable) -> Callable:
    """Returns a model's program compiled, or as it is where Python decides what runs.

    Args:
        model: The model.
        key: What tells it from the model's other programs: two with one key must do the same.
        program: A function of tensors, which may read the model's variables.
    """
    if model.run_eagerly:
        return program
    return cached(model, key, lambda: compile_function(program, lambda: model.variables))


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
