"""Names of types for signatures. TensorFlow and JAX have no common tensor type, so these say what is meant, not what it is."""

from typing import Any, TypeAlias

Tensor: TypeAlias = Any  # a tensor of the backend
ArrayLike: TypeAlias = Any  # a tensor, a NumPy array, a number or nested lists of numbers
Distribution: TypeAlias = Any  # a distribution of TensorFlow Probability
Bijector: TypeAlias = Any  # a bijector of TensorFlow Probability
Seed: TypeAlias = Any  # a seed of `kprob.backend.random`, or an int where a user may pass one
Shape: TypeAlias = tuple[Any, ...]  # ints, and None or scalar tensors for axes that are only known when running
