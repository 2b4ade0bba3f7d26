"""Amortisation: what an encoder makes of the data of each row."""

import math
from collections.abc import Sequence

import keras

from kprob.errors import DataError, MismatchError, explain, names
from kprob.guides.running.guide_run import GuideRun
from kprob.types import Tensor

# The start of a head hardly depends on the features: every row starts where the bias says.
HEAD_SPREAD = 0.01


def input_names(guide: str, encoder: keras.layers.Layer | None, inputs: str | Sequence[str] | None) -> tuple[str, ...]:
    """Returns the names of the data that an encoder takes, checked.

    Args:
        guide: The guide's name, for messages.
        encoder: The encoder, or None.
        inputs: The user's argument.

    Raises:
        MismatchError: There is an encoder without inputs, or the other way round.
    """
    input_tuple = (inputs,) if isinstance(inputs, str) else tuple(inputs or ())
    if (encoder is None) != (not input_tuple) or not all(isinstance(name, str) for name in input_tuple):
        raise MismatchError(
            explain(
                f"{guide} takes an encoder together with the names of the data that it reads.",
                received=f"encoder={type(encoder).__name__ if encoder is not None else None}, inputs={inputs!r}",
                expected="both, or neither",
                fix=f'write {guide}(encoder=network, inputs=["x"])',
            )
        )
    return input_tuple


def features_of(encoder: keras.layers.Layer, inputs: tuple[str, ...], run: GuideRun) -> Tensor:
    """Returns the features of the rows of a run: shape (rows, features).

    Raises:
        DataError: The data lacks what the encoder takes.
        MismatchError: The encoder returns no vector for each row.
    """
    missing = [name for name in inputs if name not in run.data]
    if missing:
        raise DataError(
            explain(
                f"The guide's encoder needs `{missing[0]}`, which the data lacks.",
                received=f"data for {names(run.data)}",
                expected=f"data for {names(inputs)}",
                fix=f'add "{missing[0]}" to the data',
            )
        )
    values = [run.data[name] for name in inputs]
    features = encoder(values[0] if len(values) == 1 else values)
    if len(features.shape) != 2:
        raise MismatchError(
            explain(
                f"The guide's encoder {encoder.name} must return a vector for each row.",
                received=f"shape {tuple(features.shape)}",
                expected="shape (rows, features)",
                fix="end it with keras.layers.Flatten(), or with a Dense layer",
            )
        )
    return features


def make_head(name: str, start: Tensor, num_features: int) -> keras.layers.Dense:
    """Returns a layer from the features of a row to the numbers of a parameter, flattened.

    Args:
        name: Name of the layer.
        start: The parameter's numbers to start from, in one row.
        num_features: Length of the encoder's vector for a row.
    """
    spread = keras.initializers.RandomNormal(stddev=HEAD_SPREAD)
    head = keras.layers.Dense(math.prod(tuple(start.shape)), kernel_initializer=spread, name=name)
    head.build((None, num_features))
    head.bias.assign(keras.ops.reshape(start, (-1,)))
    return head
