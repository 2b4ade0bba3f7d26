"""Pictures of simulation-based calibration: rank histograms, and ECDF differences in their simultaneous bands."""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from kprob.diagnostics import Calibration
from kprob.diagnostics.figures import plots
from kprob.errors import KprobError, explain

MOST_NUMBERS = 12
_BLUE, _GREY = "#2b6cb0", "#8a8a8a"


@plots("calibration")
def plot_calibration(calibration: Calibration, to_file: str | os.PathLike | None = None) -> Any:
    """Draws the ranks that `kprob.diagnostics.sbc` computes: a row for each number of each site, 12 at most.

    Args:
        calibration: The ranks.
        to_file: Path of a picture, or None.

    Returns:
        The matplotlib figure.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise KprobError(
            explain(
                "Pictures of calibration need matplotlib.",
                received="a Python without it",
                fix='pip install "kprob[plots]"',
            )
        ) from error
    shown = list(_numbers(calibration))[:MOST_NUMBERS]
    figure = Figure(figsize=(9, 2.2 * len(shown)), layout="constrained")
    axes = figure.subplots(len(shown), 2, squeeze=False)
    points, lower, upper = calibration.bands()
    for (left, right), (label, ranks, difference) in zip(axes, shown, strict=True):
        _histogram(left, ranks, calibration.num_draws + 1)
        left.set_ylabel(label)
        right.fill_between(points, lower, upper, color=_GREY, alpha=0.25, lw=0, label="95 % band")
        right.axhline(0, color=_GREY, lw=0.8)
        right.step(points, difference, where="post", color=_BLUE)
    axes[0, 0].set_title("Ranks")
    axes[0, 1].set_title("ECDF less uniform")
    axes[-1, 0].set_xlabel("rank of the true value")
    axes[-1, 1].set_xlabel("share of the ranks")
    if to_file is not None:
        figure.savefig(to_file, dpi=150)
    return figure


def _numbers(calibration: Calibration) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    # Label, ranks and ECDF difference of each number of each site.
    for name, ranks in calibration.ranks.items():
        difference = calibration.ecdf_difference(name)
        for index in np.ndindex(ranks.shape[1:]):
            label = name + (str(list(index)) if index else "")
            yield label, ranks[(slice(None), *index)], difference[(slice(None), *index)]


def _histogram(axes: Any, ranks: np.ndarray, places: int) -> None:
    bins = max(2, min(20, len(ranks) // 10, places))
    edges = np.round(np.linspace(0, places, bins + 1))
    axes.hist(ranks, edges - 0.5, color=_BLUE, alpha=0.6)
    expected, share = len(ranks) / bins, 1 / bins
    spread = 2 * np.sqrt(len(ranks) * share * (1 - share))
    axes.axhspan(expected - spread, expected + spread, color=_GREY, alpha=0.25, lw=0)
    axes.axhline(expected, color=_GREY, lw=0.8)
