"""The modules of the backend that Keras runs on, typed by the contract."""

import keras

from kprob.backend.contract import Datasets, Operations, RandomNumbers, TrainingPrograms
from kprob.backend.patches import apply_patches
from kprob.backend.quiet import look_for_devices
from kprob.errors import KprobError, explain

name = keras.backend.backend()

# Before the backend's modules: on JAX, TFP can't be imported without.
apply_patches(name)

operations: Operations
random: RandomNumbers
data: Datasets
training: TrainingPrograms

if name == "tensorflow":
    from kprob.backend.tensorflow import data as tensorflow_data
    from kprob.backend.tensorflow import operations as tensorflow_operations
    from kprob.backend.tensorflow import random as tensorflow_random
    from kprob.backend.tensorflow import training as tensorflow_training

    operations, random = tensorflow_operations, tensorflow_random
    data, training = tensorflow_data, tensorflow_training
    look_for_devices()
elif name == "jax":
    from kprob.backend.jax import data as jax_data
    from kprob.backend.jax import operations as jax_operations
    from kprob.backend.jax import random as jax_random
    from kprob.backend.jax import training as jax_training

    operations, random = jax_operations, jax_random
    data, training = jax_data, jax_training
else:
    raise KprobError(
        explain(
            "kprob runs on Keras's TensorFlow and JAX backends.",
            received=f"the Keras backend {name!r}",
            fix="set the environment variable KERAS_BACKEND to 'tensorflow' or 'jax' before Keras is imported",
        )
    )

accumulate = operations.accumulate
batch_shape = operations.batch_shape
compile_function = operations.compile_function
executing_eagerly = operations.executing_eagerly
find_influences = operations.find_influences
gradients = operations.gradients
is_tensor = operations.is_tensor
look_ups = operations.look_ups
map_draws = operations.map_draws
softplus = operations.softplus
static_shape = operations.static_shape
vectorized_map = operations.vectorized_map
wide_numbers = operations.wide_numbers

tfp = operations.tfp
tfd = tfp.distributions
tfb = tfp.bijectors
