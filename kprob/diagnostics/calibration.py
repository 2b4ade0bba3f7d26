"""Ranks of true values among posterior draws: uniform where the posteriors are right.

Draw parameters from the prior, data given the parameters, and the posterior's draws given the data: then the true value is
one more draw from that posterior, and every rank among the others is equally likely. A posterior that is too narrow puts the
truth at the ends, one that is too wide in the middle, a biased one to one side.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kprob.diagnostics.ecdf_bands import ecdf_bands
from kprob.diagnostics.figures import plot
from kprob.diagnostics.special import chi_squared_tail

MOST_BINS = 20
EXPECTED_IN_A_BIN = 5


@dataclass(frozen=True)
class Calibration:
    """The ranks that `sbc` computes.

    Attributes:
        ranks: Number of draws below the true value, by site, shape (simulations, ...): from 0 to `num_draws`.
        num_draws: Posterior draws in each simulation.

    Example:
        ```python
        import numpy as np
        from kprob.diagnostics import Calibration

        generator = np.random.default_rng(0)
        right, narrow = generator.integers(0, 100, 400), np.where(generator.uniform(size=400) < 0.5, 0, 99)
        assert Calibration({"w": right}, 99).uniform() and not Calibration({"w": narrow}, 99).uniform()
        ```

    Reference:
        Talts, Betancourt, Simpson, Vehtari and Gelman (2018), "Validating Bayesian inference algorithms with
        simulation-based calibration". arXiv:1804.06788.
    """

    ranks: dict[str, np.ndarray]
    num_draws: int

    @property
    def num_simulations(self) -> int:
        """Number of simulations."""
        return len(next(iter(self.ranks.values())))

    @property
    def p_values(self) -> dict[str, np.ndarray]:
        """Chi-squared p-values of uniform ranks by site, one for each number of the site."""
        return {name: self._each(ranks, self._p_value) for name, ranks in self.ranks.items()}

    @property
    def min_p_value(self) -> float:
        """The smallest p-value times how many there are: that of all ranks together (Bonferroni)."""
        values = np.concatenate([np.ravel(value) for value in self.p_values.values()])
        return float(min(1.0, np.min(values) * len(values)))

    def uniform(self, level: float = 0.01) -> bool:
        """Whether the ranks are as uniform as chance allows.

        Args:
            level: Probability of rejecting ranks that are uniform.
        """
        return self.min_p_value > level

    def bands(self, probability: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns points in (0, 1), and the simultaneous band of the ECDF there less the points.

        Args:
            probability: Probability that the ECDF of one number's uniform ranks is nowhere outside.
        """
        points, lower, upper = ecdf_bands(self.num_simulations, self.num_draws + 1, probability)
        return points, lower - points, upper - points

    def ecdf_difference(self, name: str) -> np.ndarray:
        """Returns the ECDF of a site's ranks less the uniform one at the points of `bands`, shape (points, ...).

        Args:
            name: The site.
        """
        points = self.bands()[0]
        places = np.round(points * (self.num_draws + 1)).astype(int)
        ecdf = np.stack([np.mean(self.ranks[name] < place, axis=0) for place in places])
        return ecdf - points.reshape(-1, *[1] * (ecdf.ndim - 1))

    def outside(self, probability: float = 0.95) -> dict[str, np.ndarray]:
        """Returns by site whether the ECDF of each number leaves its band anywhere.

        Args:
            probability: Of the band.
        """
        points, lower, upper = self.bands(probability)
        leaves = {}
        for name in self.ranks:
            difference = self.ecdf_difference(name)
            shape = (-1, *[1] * (difference.ndim - 1))
            # Both sides are fractions with one denominator: only rounding makes equal ones differ.
            below, above = difference < lower.reshape(shape) - 1e-9, difference > upper.reshape(shape) + 1e-9
            leaves[name] = np.any(below | above, axis=0)
        return leaves

    def plot(self, to_file: str | os.PathLike | None = None) -> Any:
        """Draws histograms of the ranks, and the ECDFs' differences in their bands (needs matplotlib).

        Args:
            to_file: Path of a picture, or None.

        Returns:
            The matplotlib figure.
        """
        return plot("calibration", self, to_file)

    def __str__(self) -> str:
        lines = [f"Simulation-based calibration: {self.num_simulations} simulations, {self.num_draws} draws each."]
        outside = self.outside()
        for name, values in self.p_values.items():
            what = f"p = {float(np.min(values)):.3g}" if values.size == 1 else f"smallest p = {np.min(values):.3g}"
            where = f"{int(np.sum(outside[name]))} of {values.size} outside the ECDF's 95 % band"
            lines.append(f"  {name}: {what}, {where}; {self._shape_of(name)}")
        verdict = "as uniform as chance allows" if self.uniform() else "not uniform: the posteriors are wrong"
        lines.append(f"The ranks are {verdict} (p = {self.min_p_value:.3g} over all).")
        return "\n".join(lines)

    def _shape_of(self, name: str) -> str:
        # How far the ranks' mean and spread are from uniform ones', in standard errors, over all numbers of the site.
        places = (self.ranks[name] + 0.5) / (self.num_draws + 1)
        number = places.shape[0]
        shift = float(np.mean(places) - 0.5) * np.sqrt(12 * number)
        spread = float(np.mean((places - 0.5) ** 2) - 1 / 12) * np.sqrt(180 * number)
        if max(abs(shift), abs(spread)) < 3:
            return "ranks flat"
        if abs(shift) > abs(spread):
            return f"posteriors too {'low' if shift > 0 else 'high'}"
        return f"posteriors too {'narrow' if spread > 0 else 'wide'}"

    def _p_value(self, ranks: np.ndarray) -> float:
        number, places = len(ranks), self.num_draws + 1
        bins = max(2, min(MOST_BINS, number // EXPECTED_IN_A_BIN, places))
        edges = np.round(np.linspace(0, places, bins + 1)).astype(int)
        counts = np.histogram(ranks, bins=edges - 0.5)[0]
        expected = number * np.diff(edges) / places
        return chi_squared_tail(float(np.sum((counts - expected) ** 2 / expected)), bins - 1)

    @staticmethod
    def _each(ranks: np.ndarray, function: Callable[[np.ndarray], float]) -> np.ndarray:
        flat = ranks.reshape(len(ranks), -1)
        return np.array([function(column) for column in flat.T]).reshape(ranks.shape[1:])
