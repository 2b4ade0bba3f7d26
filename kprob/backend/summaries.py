"""Numbers for TensorBoard. TensorFlow writes them, on either backend: kprob requires it."""

from typing import Any

from kprob.errors import KprobError, explain


class Writer:
    """Writes scalars into a folder.

    Args:
        summary: The module `tf.summary`.
        folder: The folder.
    """

    def __init__(self, summary: Any, folder: str):
        self._summary = summary
        self._writer = summary.create_file_writer(folder)

    def scalar(self, name: str, value: float, step: int) -> None:
        """Writes one number."""
        with self._writer.as_default():
            self._summary.scalar(name, value, step=step)

    def flush(self) -> None:
        """Sends everything to the disk."""
        self._writer.flush()

    def close(self) -> None:
        """Ends the file."""
        self._writer.close()


def summary_writer(folder: str) -> Writer:
    """Returns a writer of scalars into a folder.

    Raises:
        KprobError: TensorFlow or TensorBoard isn't installed.
    """
    try:
        import tensorboard  # noqa: F401  (`tf.summary` needs it, and says so late and in other words)
        import tensorflow as tf
    except ImportError as error:
        raise KprobError(
            explain(
                "Logs for TensorBoard are written by TensorFlow and TensorBoard.",
                received=f"a Python without them ({error})",
                fix="pip install tensorflow tensorboard",
            )
        ) from error
    return Writer(tf.summary, folder)
