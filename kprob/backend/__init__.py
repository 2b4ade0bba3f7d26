"""The one door to TensorFlow and JAX: TFP of the active backend, random numbers, loops, compiled programs.

Everything else in kprob is written with `keras.ops` and what this package exports. May import: errors.
"""

import keras

from kprob.backend.xla_options import compile_small_loops_whole
from kprob.errors import KprobError, explain

compile_small_loops_whole()

name = keras.backend.backend()

if name == "tensorflow":
    from kprob.backend.tensorflow import data as data
    from kprob.backend.tensorflow import random as random
    from kprob.backend.tensorflow import training as training
    from kprob.backend.tensorflow.operations import (
        accumulate,
        batch_shape,
        compile_function,
        executing_eagerly,
        find_influences,
        gradients,
        is_tensor,
        map_draws,
        softplus,
        static_shape,
        tfp,
        vectorized_map,
    )
elif name == "jax":
    from kprob.backend.jax import data as data
    from kprob.backend.jax import random as random
    from kprob.backend.jax import training as training
    from kprob.backend.jax.operations import (
        accumulate,
        batch_shape,
        compile_function,
        executing_eagerly,
        find_influences,
        gradients,
        is_tensor,
        map_draws,
        softplus,
        static_shape,
        tfp,
        vectorized_map,
    )
else:
    raise KprobError(
        explain(
            "kprob runs on Keras's TensorFlow and JAX backends.",
            received=f"the Keras backend {name!r}",
            fix="set the environment variable KERAS_BACKEND to 'tensorflow' or 'jax' before Keras is imported",
        )
    )

from kprob.backend.precision import float_type, precision  # noqa: E402

tfd = tfp.distributions
tfb = tfp.bijectors

__all__ = [
    "accumulate",
    "batch_shape",
    "compile_function",
    "data",
    "executing_eagerly",
    "find_influences",
    "float_type",
    "gradients",
    "is_tensor",
    "map_draws",
    "name",
    "precision",
    "random",
    "softplus",
    "static_shape",
    "tfb",
    "tfd",
    "tfp",
    "training",
    "vectorized_map",
]
