"""The one door to TensorFlow and JAX: TFP of the active backend, random numbers, loops, compiled programs.

Everything else in kprob is written with `keras.ops` and what this package exports; `contract.py` says what that is. Importing it
loads TensorFlow without its greetings, if nobody has loaded it before, and applies the patches in `patches.py`.
May import: errors, types, checks.
"""

from kprob.backend.quiet import without_greetings

with without_greetings():
    from kprob.backend.active import (
        accumulate,
        batch_shape,
        compile_function,
        data,
        executing_eagerly,
        find_influences,
        gradients,
        is_tensor,
        look_ups,
        map_draws,
        name,
        random,
        softplus,
        static_shape,
        tfb,
        tfd,
        tfp,
        training,
        vectorized_map,
    )
    from kprob.backend.fallback import compile_with_fallback
    from kprob.backend.precision import float_type, precision
    from kprob.backend.seeds import next_number, numpy_generator, seed_of

__all__ = [
    "accumulate",
    "batch_shape",
    "compile_function",
    "compile_with_fallback",
    "data",
    "executing_eagerly",
    "find_influences",
    "float_type",
    "gradients",
    "is_tensor",
    "look_ups",
    "map_draws",
    "name",
    "next_number",
    "numpy_generator",
    "precision",
    "random",
    "seed_of",
    "softplus",
    "static_shape",
    "tfb",
    "tfd",
    "tfp",
    "training",
    "vectorized_map",
]
