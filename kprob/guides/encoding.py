"""Amortisation: what an encoder makes of the data of each row."""

from collections.abc import Sequence

from kprob.errors import DataError, MismatchError, explain, names
from kprob.guides.run import Run


def input_names(guide: str, encoder, inputs: str | Sequence[str] | None) -> tuple[str, ...]:
    """Returns the names of the data that an encoder takes, checked.

    Args:
        guide: The guide's name, for messages.
        encoder: The encoder, or None.
        inputs: What the user gave.

    Raises:
        MismatchError: There is an encoder without inputs, or the other way round.
    """
    found = (inputs,) if isinstance(inputs, str) else tuple(inputs or ())
    if (encoder is None) != (not found) or not all(isinstance(name, str) for name in found):
        raise MismatchError(
            explain(
                f"{guide} takes an encoder together with the names of the data that it reads.",
                received=f"encoder={type(encoder).__name__ if encoder is not None else None}, inputs={inputs!r}",
                expected="both, or neither",
                fix=f'write {guide}(encoder=network, inputs=["x"])',
            )
        )
    return found


def features_of(encoder, inputs: tuple[str, ...], run: Run):
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
