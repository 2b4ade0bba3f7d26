"""The table: a section for each case, a row for each contestant, each bar with its verdict."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.contest import Result

AGREEMENT = 0.05


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Args:
        label: Who or what.
        value: The figure, ready to print.
        note: What stands to the right of it.
    """

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Bar:
    """A limit that kprob has to keep.

    Args:
        claim: What is compared.
        value: What was measured, None where a side is missing.
        limit: The most that it may be.
        unit: "x" for a ratio, else the unit of the difference.
        least: Whether the limit is the least that it may be instead.
    """

    claim: str
    value: float | None
    limit: float
    unit: str = "x"
    least: bool = False

    @property
    def verdict(self) -> str:
        """One of "kept", "MISSED" and "not measured"."""
        if self.value is None:
            return "not measured"
        kept = self.value >= self.limit if self.least else self.value <= self.limit
        return "kept" if kept else "MISSED"

    def as_row(self) -> Row:
        """Returns the bar as a line of the table."""
        value = "-" if self.value is None else quantity(self.value, self.unit)
        limit = f"bar: at {'least' if self.least else 'most'} {self.limit:g}{separated(self.unit)}"
        return Row(self.claim, value, f"{limit:<22} {self.verdict}")


@dataclass(frozen=True)
class Section:
    """What one case has to show.

    Args:
        title: The case's letter and what is measured.
        rows: The contestants' figures.
        bars: The bars, which stand below them.
    """

    title: str
    rows: Sequence[Row]
    bars: Sequence[Bar]

    def __str__(self) -> str:
        rows = [*self.rows, *(bar.as_row() for bar in self.bars)]
        width = max(len(row.label) for row in rows)
        lines = [f"  {row.label:<{width}} {row.value:>14}   {row.note}".rstrip() for row in rows]
        return "\n".join([self.title, *lines])


def separated(unit: str) -> str:
    """Returns the unit as it follows a number."""
    return unit if unit == "x" else f" {unit}"


def quantity(value: float, unit: str) -> str:
    """Returns a number in three figures with its unit."""
    digits = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.3g}".rstrip(".")
    return digits + separated(unit)


def timing_rows(results: Sequence[Result], reference: str, compare: bool = True) -> list[Row]:
    """Returns a row for each result: the median, the range, the ratio to the result `reference`.

    A result whose answer differs from the others' by more than 5 % gets a note: it did other work. Where answers are no
    losses, they aren't compared but shown: effective draws.
    """
    base = median_of(results, reference)
    answers = [result.answers[-1] for result in results if result.median is not None]
    typical = statistics.median_low(answers) if answers else 0.0
    rows = []
    for result in results:
        if result.median is None:
            rows.append(Row(result.label, "-", result.problem))
            continue
        note = f"{min(result.seconds):#.3g} to {max(result.seconds):#.3g} s"
        if base:
            note = f"{note:<22} {quantity(result.median / base, 'x')}"
        if not compare:
            note += f"   {result.answers[-1]:,.0f} effective draws"
        elif not abs(result.answers[-1] - typical) <= AGREEMENT * abs(typical):
            note += f"   other answer: -ELBO {result.answers[-1]:.4g}, others' {typical:.4g}"
        rows.append(Row(result.label, quantity(result.median, "s"), note))
    return rows


def median_of(results: Sequence[Result], label: str) -> float | None:
    """Returns the median seconds of the result named `label`, None where it is missing."""
    return next((result.median for result in results if result.label == label), None)


def ratio_bar(results: Sequence[Result], ours: str, theirs: str, limit: float) -> Bar:
    """Returns the bar "ours / theirs is at most `limit`"."""
    numerator, denominator = median_of(results, ours), median_of(results, theirs)
    value = numerator / denominator if numerator and denominator else None
    return Bar(f"{ours} / {theirs}", value, limit)


def difference_bar(results: Sequence[Result], ours: str, theirs: str, limit: float) -> Bar:
    """Returns the bar "ours takes at most `limit` seconds more than theirs"."""
    left, right = median_of(results, ours), median_of(results, theirs)
    value = left - right if left is not None and right is not None else None
    return Bar(f"{ours} - {theirs}", value, limit, "s")
