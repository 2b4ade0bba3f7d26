"""The curvature of a model's log-joint density at the mode that `fit` has found, for `kprob.guides.Laplace`.

Minus the Hessian, in float64, of the whole data's density as a function of the guide's modes: p's log-density minus that
of a guide that is a point, which is the Jacobian's part. A Hessian times a vector is the gradient of a gradient times
that vector, so the matrix comes column by column. Rows are independent given what is outside the data plate: one vector
with a one in each row gives a column of the block of every row at once.
"""

import keras
import numpy as np

from kprob.backend import compile_function, gradients, random
from kprob.data import Data, batch_of
from kprob.errors import DataError, explain
from kprob.guides import Laplace
from kprob.guides.laplace import INSIDE, OUTSIDE

ROWS_AT_ONCE = 10_000


def begin(model) -> None:
    """Makes a Laplace guide a point again, before a fit."""
    guide = getattr(model, "guide", None)
    if isinstance(guide, Laplace):
        guide.begin()


def require_finite(model, stream) -> None:
    """Raises where a Laplace guide would have to go through a stream that can't be gone through once more.

    Raises:
        DataError: It is a generator, or nobody knows where it ends.
    """
    if isinstance(getattr(model, "guide", None), Laplace) and (
        hasattr(stream.x, "__next__") or (stream.num_data is None and stream.num_batches is None)
    ):
        raise DataError(
            explain(
                "Laplace goes through the data once more after the fit, and can't with this stream.",
                received=f"a {type(stream.x).__name__} that ends nobody knows where, or that can't be gone through twice",
                expected="arrays, or a tf.data.Dataset, PyDataset or DataLoader of known length",
                fix="pass one, or num_data= for a Dataset of unknown length",
            )
        )


def finish(model, batches) -> None:
    """Makes a Laplace guide a normal, after a fit.

    Args:
        model: The fitted model.
        batches: All data, as batches of the engine whose rows count once each.
    """
    guide = getattr(model, "guide", None)
    if not isinstance(guide, Laplace):
        return
    total: dict = {}
    for number, batch in enumerate(batches):
        for key, value in _hessian(model, guide, batch, first=number == 0).items():
            total[key] = total.get(key, 0.0) + value
    guide.finish(total)
    # Keras's own programs of the guide as it was.
    model.test_function = model.predict_function = None


def parts_of(data: Data):
    """Yields all data as batches, each counting for its own rows alone."""
    for start in range(0, data.num_rows or 1, ROWS_AT_ONCE):
        part = data if data.num_rows is None else data.take(slice(start, start + ROWS_AT_ONCE))
        batch = batch_of(part)
        if "index" in batch:
            batch["index"] = batch["index"] + start
        yield batch


def _hessian(model, guide: Laplace, batch: dict, first: bool) -> dict:
    names, variables = list(guide.modes()), list(guide.modes().values())
    values = [keras.ops.convert_to_tensor(variable) for variable in variables]

    def density(*modes):
        with keras.StatelessScope(state_mapping=list(zip(variables, modes, strict=True))):
            p, q = model.networks.pair(batch, random.seed(0))
        return sum(trace.log_prob(_counted(trace, first)) * sign for trace, sign in ((p, 1.0), (q, -1.0)))

    def column(*vectors):
        def along(*modes):
            slopes = _dense(gradients(density, *modes)[1], modes)
            return sum(keras.ops.sum(slope * vector) for slope, vector in zip(slopes, vectors, strict=True))

        return _dense(gradients(along, *values)[1], values)

    run = column if model.run_eagerly else compile_function(column)

    def minus_columns(name: str) -> list[dict]:
        shape = tuple(guide.modes()[name].shape)
        found = []
        for i in range(shape[-1]):
            vectors = [np.zeros(tuple(variable.shape), "float32") for variable in variables]
            vectors[names.index(name)][..., i] = 1.0
            columns = run(*map(keras.ops.convert_to_tensor, vectors))
            arrays = (-np.asarray(keras.ops.convert_to_numpy(c), "float64") for c in columns)
            found.append(dict(zip(names, arrays, strict=True)))
        return found

    blocks: dict = {}
    if OUTSIDE in names:
        columns = minus_columns(OUTSIDE)
        blocks[OUTSIDE, OUTSIDE] = np.stack([c[OUTSIDE] for c in columns], axis=-1)
        if INSIDE in names:
            blocks[INSIDE, OUTSIDE] = np.stack([c[INSIDE] for c in columns], axis=-1)
    if INSIDE in names:
        blocks[INSIDE, INSIDE] = np.stack([c[INSIDE] for c in minus_columns(INSIDE)], axis=-1)
    return {key: (b + np.swapaxes(b, -1, -2)) / 2.0 if key[0] == key[1] else b for key, b in blocks.items()}


def _counted(trace, first: bool) -> list[str]:
    # What is outside the data plate counts once, whatever the number of batches.
    return [site.name for site in trace.weighed_sites() if first or site.in_data_plate]


def _dense(found, like) -> list:
    # A gradient may be missing where nothing depends on an argument, or be a few rows of it.
    pairs = zip(found, like, strict=True)
    return [keras.ops.zeros_like(x) if g is None else keras.ops.convert_to_tensor(g) for g, x in pairs]
