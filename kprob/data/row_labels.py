"""Whether labelled data, such as pandas's, is about the same rows in the same order."""

from collections.abc import Mapping
from typing import Any

from kprob.errors import DataError, explain


def check_labels(values: Mapping[str, Any]) -> None:
    """Raises where two labelled objects of the same length have other rows, or the same rows in another order.

    Rows are paired by position, so that labels that disagree would pair what doesn't belong together.

    Args:
        values: Data by name; only what has an index is looked at.
    """
    first: dict[int, tuple[str, Any]] = {}
    for name, value in values.items():
        index: Any = getattr(value, "index", None)
        if not hasattr(value, "to_numpy") or not hasattr(index, "equals"):  # a list has a method of that name
            continue
        other, labels = first.setdefault(len(index), (name, index))
        if index is not labels and not index.equals(labels):
            raise DataError(_unlike(other, labels, name, index))


def _unlike(name: str, index: Any, other: str, other_index: Any) -> str:
    same = sorted(map(str, index)) == sorted(map(str, other_index))
    if same:
        mend = f"bring them into one order, such as {other}.loc[{name}.index]"
    else:
        mend = "take both from one data frame"
    return explain(
        f"The rows of `{name}` and `{other}` " + ("are in another order." if same else "have other labels."),
        received=f"`{name}`: {_some(index)}; `{other}`: {_some(other_index)}",
        expected="the same index, in the same order: rows are paired by position",
        fix=f"{mend}; where positions are what counts, pass {name}.to_numpy() and {other}.to_numpy()",
    )


def _some(index: Any) -> str:
    labels = ", ".join(str(label) for label in index[:4])
    return f"{labels}, ..." if len(index) > 4 else labels
