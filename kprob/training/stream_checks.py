"""What `fit` and `evaluate` ask of a stream before they begin, and what they say where an option means nothing beside one."""

from typing import Any

from kprob.data.streams import Stream
from kprob.errors import CompileError, DataError, explain

# What belongs into the batches themselves, and how.
_IN_BATCHES = {
    "y": "give batches of (x, y), or of dicts by name",
    "sample_weight": "give batches of (x, y, sample_weight), with None for y where x has all names",
    "validation_split": "pass validation_data=, arrays or another stream",
    "batch_size": "put as many rows into each batch, such as dataset.batch(128); validation arrays have "
    "validation_batch_size=",
}


def check_stream_options(stream: Stream, verb: str, options: dict[str, Any]) -> None:
    """Raises where an option means nothing beside a stream.

    Args:
        stream: The stream.
        verb: "fit" or "evaluate".
        options: What the user gave, by name.
    """
    for name, fix in _IN_BATCHES.items():
        value = options.get(name)
        if value is not None and not (name == "validation_split" and not value):
            raise CompileError(
                explain(
                    f"`{verb}` of a {stream.kind} takes no `{name}`: its batches have all that belongs to a row.",
                    received=f"{name}={type(value).__name__}"
                    if name in ("y", "sample_weight")
                    else f"{name}={value!r}",
                    expected=f"`{name}` only beside arrays",
                    fix=fix,
                )
            )


def check_end(stream: Stream, option: str, steps: int | None) -> None:
    """Raises where a pass over a stream would never end.

    Args:
        stream: The stream.
        option: The option that says how many batches are taken.
        steps: Its value.
    """
    if steps is None and stream.endless:
        raise CompileError(
            explain(
                f"The {stream.kind} never ends, and nothing says where an epoch does.",
                received=f"a {stream.kind} without an end, and no `{option}`",
                expected=f"the batches of an epoch: {option}=",
                fix=f"write {option}=100, or leave .repeat() out of the dataset",
            )
        )


def check_num_data(stream: Stream, given: int | None, counted: int | None) -> None:
    """Raises where a user's number of rows isn't that of a stream which knows it.

    Args:
        stream: The stream.
        given: `num_data`, or None.
        counted: Rows of the stream, or None where it doesn't know them.
    """
    if given is not None and counted is not None and given != counted:
        raise DataError(
            explain(
                f"`num_data` isn't the number of rows of the {stream.kind}.",
                received=f"num_data={given}, and a {stream.kind} of {counted} rows",
                expected=f"num_data={counted}, or none: it is known",
                fix="leave num_data out",
            )
        )


def check_pass(stream: Stream, rows: int, num_data: int | None) -> None:
    """Raises where a whole pass has shown other rows than the data set has.

    Args:
        stream: The stream.
        rows: Rows that were seen.
        num_data: Rows that the data set should have, or None.
    """
    if num_data is not None and rows != num_data and stream.shows_each_row_once:
        raise DataError(
            explain(
                f"The {stream.kind} has another number of rows than the fit was told.",
                received=f"{rows} rows in an epoch, and num_data={num_data}",
                expected=f"num_data={rows}, the rows of the whole data set",
                fix=f"write num_data={rows}; where batches are drawn at random, say how many an epoch has: steps_per_epoch=",
            )
        )


def ended(stream: Stream, taken: int, wanted: int | None, epoch: int) -> DataError:
    """Returns the error on a stream that ran out of batches.

    Args:
        stream: The stream.
        taken: Batches that the epoch had.
        wanted: Batches that it should have had, or None.
        epoch: The epoch, counted from 0.
    """
    of = "" if wanted is None else f" of {wanted}"
    return DataError(
        explain(
            f"The {stream.kind} has ended, and epoch {epoch + 1} wants batches of it.",
            received=f"{taken}{of} batches in epoch {epoch + 1}",
            expected="batches in every epoch" if wanted is None else "steps_per_epoch times epochs batches",
            fix="a generator can be gone through once: fit for one epoch, let it go on and say steps_per_epoch=, or pass a "
            "tf.data.Dataset, a PyDataset or a DataLoader, which begin again",
        )
    )
