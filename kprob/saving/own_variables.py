"""What a model stores beside Keras's weights: its record and a sampler's draws, each as an array of bytes.

Keras calls a model's `save_own_variables` and `load_own_variables` in the midst of saving and loading. A record can only be
checked when all weights are loaded: until then the function that began to load holds it, by `collect_records`.
"""

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any, NamedTuple

import keras
import numpy as np

from kprob.saving.record import Record, check_layout, make_record, restore_seeds

RECORD = "record"
DRAWS = "draws"
ROWS = "rows"


class OwnVariables(NamedTuple):
    """What a file holds for the model itself.

    Attributes:
        variables: What Keras stored.
        draws: The draws of a sampler, as `write_own_variables` got them.
        rows: Fingerprints of the rows of the last fit, by name, where they were given.
    """

    variables: dict[str, Any]
    draws: bytes | None
    rows: dict[str, str]


class LoadedRecords:
    """The records of the models that have been loaded so far."""

    def __init__(self) -> None:
        self._records: list[tuple[keras.Model, Record]] = []

    def add(self, model: keras.Model, record: Record) -> None:
        """Notes what a file recorded of a model."""
        self._records.append((model, record))

    def of(self, model: keras.Model) -> Record | None:
        """Returns what the file recorded of a model, or None where it has no record."""
        return next((record for loaded, record in self._records if loaded is model), None)


_LOADING: ContextVar[LoadedRecords | None] = ContextVar("loading", default=None)


@contextlib.contextmanager
def collect_records() -> Iterator[LoadedRecords]:
    """Collects the records of all models that are loaded in the block."""
    records = LoadedRecords()
    token = _LOADING.set(records)
    try:
        yield records
    finally:
        _LOADING.reset(token)


def write_own_variables(
    model: keras.Model, store: MutableMapping[str, Any], draws: bytes | None, rows: Mapping[str, str] | None = None
) -> None:
    """Adds a model's record, and a sampler's draws, to what Keras stores for the model itself.

    Args:
        model: The model.
        store: What Keras gave to `save_own_variables`.
        draws: Draws, if there are any.
        rows: Fingerprints of the rows of the last fit, by name, where weights belong to them.
    """
    store[RECORD] = make_record(model).to_array()
    if rows:
        store[ROWS] = np.frombuffer(json.dumps(dict(rows)).encode(), "uint8")
    if draws is not None:
        store[DRAWS] = np.frombuffer(draws, "uint8")


def read_own_variables(
    model: keras.Model, store: MutableMapping[str, Any], unwanted: Collection[str] = ()
) -> OwnVariables:
    """Takes a model's record and draws out of what Keras stored, checks the variables' layout and restores seeds.

    Args:
        model: The model.
        store: What Keras gave to `load_own_variables`.
        unwanted: Attributes whose weights, if the file has them, this model has no use for.

    Raises:
        ArchiveError: The model has other variables than the one that was saved.
    """
    contents = {name: store[name] for name in store.keys()}
    stored, draws, rows = (contents.pop(name, None) for name in (RECORD, DRAWS, ROWS))
    if stored is not None:
        record = Record.from_array(np.asarray(stored)).without(unwanted)
        check_layout(model, record)
        restore_seeds(model, record)
        records = _LOADING.get()
        if records is not None:
            records.add(model, record)
    known = {} if rows is None else json.loads(np.asarray(rows).tobytes())
    return OwnVariables(contents, None if draws is None else np.asarray(draws).tobytes(), known)
