"""The curvature of a model's log-joint density as a function of a guide's variables, for `Laplace`.

The density is p's log-density minus that of a guide that is a point, which is the Jacobian's part. A Hessian times a vector
is the gradient of a gradient times that vector, so the matrix comes column by column. Rows are independent given what is
outside the data plate: one vector with a one in each row gives a column of the block of every row at once.
"""

from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np

from kprob.backend import compile_function, gradients, random
from kprob.effects import Trace
from kprob.guides.running.fitted_networks import FittedNetworks
from kprob.types import Tensor

# The variables' names: a vector outside the data plate, and one for each row inside it.
OUTSIDE, INSIDE = "loc", "row_loc"


def negative_hessian(
    networks: FittedNetworks, variables: Mapping[str, keras.Variable], batch: dict, count_outside: bool = True
) -> dict[tuple[str, str], np.ndarray]:
    """Returns minus the Hessian of a batch's log-joint density, in float64, as blocks by pairs of variables.

    Args:
        networks: The networks, whose guide is a point.
        variables: The variables, `OUTSIDE` and `INSIDE` or one of them.
        batch: A batch whose rows count once each.
        count_outside: Whether terms outside the data plate count: of several batches, in one alone.

    Returns:
        (outside, outside), one matrix; (inside, inside), one for each row; and (inside, outside), shape
        (rows, inside, outside).
    """
    column = _column_function(networks, list(variables.values()), batch, count_outside)
    blocks: dict[tuple[str, str], np.ndarray] = {}
    if OUTSIDE in variables:
        columns = _negative_columns(column, variables, OUTSIDE)
        blocks[OUTSIDE, OUTSIDE] = np.stack([c[OUTSIDE] for c in columns], axis=-1)
        if INSIDE in variables:
            blocks[INSIDE, OUTSIDE] = np.stack([c[INSIDE] for c in columns], axis=-1)
    if INSIDE in variables:
        columns = _negative_columns(column, variables, INSIDE)
        blocks[INSIDE, INSIDE] = np.stack([c[INSIDE] for c in columns], axis=-1)
    return {key: (b + np.swapaxes(b, -1, -2)) / 2.0 if key[0] == key[1] else b for key, b in blocks.items()}


def _column_function(
    networks: FittedNetworks, variables: list[keras.Variable], batch: dict, count_outside: bool
) -> Callable:
    # From one vector for each variable to the Hessian times these.
    values = [keras.ops.convert_to_tensor(variable) for variable in variables]

    def density(*modes: Tensor) -> Tensor:
        with keras.StatelessScope(state_mapping=list(zip(variables, modes, strict=True))):
            p, q = networks.pair(batch, random.seed(0))
        signed = ((p, 1.0), (q, -1.0))
        return sum(trace.log_prob(_counted_sites(trace, count_outside)) * sign for trace, sign in signed)

    def column(*vectors: Tensor) -> list[Tensor]:
        def slope_along(*modes: Tensor) -> Tensor:
            slopes = _dense(gradients(density, *modes)[1], modes)
            return sum(keras.ops.sum(slope * vector) for slope, vector in zip(slopes, vectors, strict=True))

        return _dense(gradients(slope_along, *values)[1], values)

    return column if networks.run_eagerly else compile_function(column)


def _negative_columns(
    column: Callable, variables: Mapping[str, keras.Variable], name: str
) -> list[dict[str, np.ndarray]]:
    columns = []
    for i in range(variables[name].shape[-1]):
        vectors = {key: np.zeros(tuple(variable.shape), "float32") for key, variable in variables.items()}
        vectors[name][..., i] = 1.0
        products = column(*map(keras.ops.convert_to_tensor, vectors.values()))
        arrays = [-np.asarray(keras.ops.convert_to_numpy(product), "float64") for product in products]
        columns.append(dict(zip(variables, arrays, strict=True)))
    return columns


def _counted_sites(trace: Trace, count_outside: bool) -> list[str]:
    return [site.name for site in trace.weighed_sites() if count_outside or site.in_data_plate]


def _dense(slopes: Sequence, like: Sequence[Tensor]) -> list[Tensor]:
    # A gradient may be missing where nothing depends on an argument, or hold a few rows of it alone.
    pairs = zip(slopes, like, strict=True)
    return [keras.ops.zeros_like(x) if slope is None else keras.ops.convert_to_tensor(slope) for slope, x in pairs]
