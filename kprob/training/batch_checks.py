"""Whether the batches of a stream that follow the first one are like it: on the host, in a few microseconds for each.

What needs the networks, whether values are possible, is found on the device: see `kprob.engine.checking.impossible_values`.
"""

from collections import deque
from collections.abc import Mapping

import numpy as np

from kprob.checks import check_integers, check_whole_numbers
from kprob.data.arrays import check_finite
from kprob.engine.probing.structure import Structure
from kprob.errors import DataError, KprobError, add_note, explain, names

AHEAD = 4  # as many batches may have been read when a step fails


class BatchChecks:
    """Checks batches of a stream against its first one, and counts their rows.

    An error inside a `tf.data` pipeline comes out in TensorFlow's words; so the checks keep what they raise in `error`.

    Args:
        structure: Sites of the generative network.
        kind: What the stream is called in messages.
        first: The first batch: arrays by name.
        weighted: Whether it has sample weights.
        most: Rows that a pass has at most, where that is known.

    Attributes:
        batches: Batches since the last `restart`.
        rows: Rows since then.
        counts: Whether a pass mustn't have more than `most` rows.
        recent: The last batches: the one that a step failed on is among them.
        error: What was raised.
    """

    def __init__(
        self, structure: Structure, kind: str, first: Mapping[str, np.ndarray], weighted: bool, most: int | None
    ):
        self.structure, self.kind, self.weighted, self.most = structure, kind, weighted, most
        self.shapes = {name: value.shape[1:] for name, value in first.items()}
        self.batches, self.rows, self.counts = 0, 0, True
        self.recent: deque[Mapping[str, np.ndarray]] = deque(maxlen=AHEAD)
        self.error: KprobError | None = None

    def restart(self) -> None:
        """Begins a pass."""
        self.batches, self.rows = 0, 0

    def check(self, rows: Mapping[str, np.ndarray], weights: np.ndarray | None) -> None:
        """Checks a batch.

        Args:
            rows: Arrays by name.
            weights: A weight for each row, or None.

        Raises:
            DataError: It isn't like the first one.
        """
        try:
            number = self._check_shapes(rows)
            for name, value in rows.items():
                self._check_values(name, value)
            self._check_weights(weights, number)
            self._count(number)
        except KprobError as error:
            add_note(error, f"kprob: this is batch {self.batches} of the {self.kind} in this pass, counted from 0.")
            self.error = error
            raise
        self.batches += 1
        self.recent.append(rows)

    def _check_shapes(self, rows: Mapping[str, np.ndarray]) -> int:
        if rows.keys() != self.shapes.keys():
            self._refuse("has other names", names(rows), names(self.shapes), "give every batch the same names")
        for name, value in rows.items():
            if value.ndim == 0 or value.shape[1:] != self.shapes[name]:
                self._refuse(
                    f"has rows of another shape in `{name}`",
                    f"shape {value.shape}",
                    f"(rows, *{self.shapes[name]}), as in the first batch",
                    "pad or reshape the rows",
                )
        lengths = {name: len(value) for name, value in rows.items()}
        if len(set(lengths.values())) > 1:
            text = ", ".join(f"`{name}`: {length}" for name, length in lengths.items())
            self._refuse("has different numbers of rows", text, "as many rows everywhere", "cut to the same rows")
        number = next(iter(lengths.values()))
        if number == 0:
            self._refuse("has no rows", "0 rows", "at least one row", "leave empty batches out of the stream")
        return number

    def _count(self, number: int) -> None:
        self.rows += number
        if self.counts and self.most is not None and self.rows > self.most:
            raise DataError(
                explain(
                    f"The {self.kind} has more rows than `num_data` says, or never ends.",
                    received=f"{self.rows} rows so far in one epoch, and num_data={self.most}",
                    expected="num_data, the rows of the whole data set, and an epoch that shows each row once",
                    fix="correct num_data; where the stream doesn't end, or draws its batches at random, say how many "
                    "batches an epoch has: steps_per_epoch=",
                )
            )

    def _check_values(self, name: str, value: np.ndarray) -> None:
        kind = value.dtype.kind
        if kind not in "iub":
            check_finite(name, value)
        site = self.structure.sites.get(name)
        if site is not None:
            check_whole_numbers(name, value, site.dtype)
            if value.dtype.itemsize >= 4:
                check_integers(name, value, site.dtype)

    def _check_weights(self, weights: np.ndarray | None, number: int) -> None:
        if (weights is not None) != self.weighted:
            with_or_without = ("without", "with") if self.weighted else ("with", "without")
            self._refuse(
                f"comes {with_or_without[0]} sample weights",
                f"a batch {with_or_without[0]} them",
                f"batches that all come {with_or_without[1]} them, as the first one does",
                "give every batch (x, y, sample_weight), or none",
            )
        if weights is None:
            return
        if weights.shape != (number,):
            self._refuse(
                "has weights that don't fit its rows", f"shape {weights.shape}", f"shape ({number},)", "pass a vector"
            )
        check_finite("sample_weight", weights)
        if weights.size and weights.min() < 0:
            self._refuse(
                "has negative weights", f"a minimum of {weights.min()}", "weights of 0 or more", "drop rows by a 0"
            )

    def _refuse(self, what: str, received: str, expected: str, fix: str) -> None:
        message = explain(f"A batch of the {self.kind} {what}.", received=received, expected=expected, fix=fix)
        raise DataError(message)
