"""Loading TensorFlow without what it tells of itself.

Its C++ libraries greet on standard error when they are loaded, whatever log level is set: which processor this is, that there
is no graphics card. None of it is about the program that loads them. Lines of any other kind come through.
"""

import contextlib
import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator

_GREETINGS = (
    b"All log messages before absl::InitializeLog() is called",
    b"oneDNN custom operations are on.",
    b"This TensorFlow binary is optimized to use available CPU instructions",
    b"To enable the following instructions:",
    b"Could not find cuda drivers on your machine",
    b"failed call to cuInit: INTERNAL: CUDA error: Failed call to cuInit: UNKNOWN ERROR (303)",
    b"failed call to cuInit: UNKNOWN ERROR (303)",
)


@contextlib.contextmanager
def without_greetings() -> Iterator[None]:
    """Keeps TensorFlow's greetings from standard error while the block runs; what else was written there follows after it."""
    try:
        usual = os.dup(2)
    except OSError:  # a process without standard error
        yield
        return
    try:
        with tempfile.TemporaryFile() as written:
            _flush()
            os.dup2(written.fileno(), 2)
            try:
                yield
            finally:
                _flush()
                os.dup2(usual, 2)
                written.seek(0)
                rest = [line for line in written if not any(greeting in line for greeting in _GREETINGS)]
                for line in rest:
                    os.write(2, line)
    finally:
        os.close(usual)


def look_for_devices() -> None:
    """Lets TensorFlow look for graphics cards now, where there is no driver: it says later that it found none."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        import tensorflow as tf

        tf.config.list_physical_devices()


def _flush() -> None:
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
