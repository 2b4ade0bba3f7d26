"""The history of a model's fits, which is saved beside its weights."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kprob.errors import ArchiveError, explain
from kprob.saving.plain_content import parse_json

HISTORY = "history.json"


class SavedHistory(NamedTuple):
    """Epochs, and what was logged in each, by name."""

    epoch: list[int]
    logs: dict[str, list]


def write_history(folder: str, history: SavedHistory) -> None:
    """Writes a history into a folder of a model's assets."""
    logs = {name: [_plain(value) for value in values] for name, values in history.logs.items()}
    content = {"epoch": [int(epoch) for epoch in history.epoch], "history": logs}
    Path(folder, HISTORY).write_text(json.dumps(content), encoding="utf-8")


def read_history(folder: str) -> SavedHistory | None:
    """Returns the history in a folder of a model's assets, or None where there is none.

    Raises:
        ArchiveError: It can't be read.
    """
    path = Path(folder, HISTORY)
    if not path.exists():
        return None
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
        return SavedHistory(list(content["epoch"]), dict(content["history"]))
    except (ValueError, TypeError, KeyError) as error:
        raise ArchiveError(explain("The saved history can't be read.", received=str(error))) from error


def _plain(value: object) -> object:
    array = np.asarray(value)
    return array.astype("float64").tolist() if array.dtype.kind in "biuf" else str(value)
