"""Data that comes in batches, through Keras's own loop."""


def is_stream(x) -> bool:
    """Whether data comes in batches."""
    return False
