"""The verdict on a fit: which figures speak of q, how far each is to be trusted, and what follows.

| figure | what it says | threshold |
|---|---|---|
| shift | how many of q's standard deviations the middle of a latent moves | 0.25 |
| ratio | how much wider or narrower the central 90 % of a latent become | 1.28 |
| share | of the draws that count: 1 / (1 + χ²), χ² of the posterior from q | 0.94 |
| gap | KL(q, p): by how much the ELBO is below the evidence | 0.03 nats |
| k-hat | tail of the weights; above the threshold they say nothing that can be trusted | 0.7 |
| elsewhere | share of the chains from far out that end where no draw of q is | 0.04 |

A mean that is off by 0.25 standard deviations is no better than that of 16 draws of the posterior; of a nominal 90 % interval that
is 1.28 times too narrow, 80 % are left. By Cauchy and Schwarz no mean is off by more than √χ² of q's standard deviations, which
is 0.25 at a share of 0.94 (Huggins et al. 2020), and two normals that far apart have a divergence of 0.03 nats. 0.7 is where
Vehtari et al. (2024) stop to trust the weights; k-hat itself has the error (1 + k) / √M, with M draws in the tail. 0.04 is more
than two of 64 chains.

Two instruments measure shift and ratio. Importance weights are exact to a few hundredths where they can be trusted at all: they
are even (the share is above 0.94 or the gap below 0.03), or k-hat is below 0.7 and at least 100 draws count. But they see only
where draws of q are, and a k-hat of 1,000 draws has a standard error of 0.15. Short chains from q's draws (`short_chains`) see
also what q leaves out, in any number of dimensions, but are noisier. From the first row that holds:

| what is found | verdict |
|---|---|
| q doesn't spread | far |
| chains end elsewhere | far |
| chains move the moments, and trusted weights as far | mendable, by importance resampling |
| chains move the moments | far |
| trusted weights move the moments | mendable; far where there are no chains and k-hat and its error reach 0.7 |
| chains that mix leave the moments as they are | close: uneven weights speak of many dimensions or of far tails |
| weights can be trusted | close |
| nothing of it | far |

Where each row of the data has weights of its own, each row has its verdict, and nine of ten must agree.
Vehtari, Simpson, Gelman, Yao and Gabry (2024), arXiv:1507.02646; Yao, Vehtari, Simpson and Gelman (2018), "Yes, but did it work?";
Huggins, Kasprzak, Campbell and Broderick (2020), "Validated variational inference via practical posterior error bounds";
Dhaka et al. (2021), "Challenges and opportunities in high-dimensional variational inference".
"""

from dataclasses import dataclass

import numpy as np

from kprob.diagnostics.pareto_smoothing import EVEN_SHARE, GOOD_K
from kprob.evaluation.moved_moments import Moved

SHIFT, RATIO = 0.25, 1.28
SMALL_GAP = 0.03
LEAST_ESS = 100
ELSEWHERE = 0.04
STAYED, LEAST_ACCEPTANCE = 0.9, 0.3  # chains that stay where they are, or are refused every step, say nothing
MANY_BAD = 0.1
ERRORS = 2.0  # standard errors by which noisy moves must pass the thresholds

CLOSE, MENDABLE, FAR = "close", "mendable", "far"


@dataclass(frozen=True)
class WeightFigures:
    """What importance weights say: numbers, or one for each row.

    Attributes:
        k_hat: Shape of the weights' tail.
        k_hat_error: Its standard error.
        ess: Draws that count.
        num_samples: Draws.
        gap: Evidence that the weights estimate less the ELBO.
        off: Whether the weighed moments are beyond the thresholds.
        spreads: Whether q spreads at all, in every latent.
    """

    k_hat: np.ndarray
    k_hat_error: np.ndarray
    ess: np.ndarray
    num_samples: int
    gap: np.ndarray
    off: np.ndarray
    spreads: bool

    @property
    def even(self) -> np.ndarray:
        """Whether the weights differ so little that q can't be far from the posterior where it has draws."""
        return (self.ess >= EVEN_SHARE * self.num_samples) | (self.gap <= SMALL_GAP)

    @property
    def trusted(self) -> np.ndarray:
        """Whether what the weights say of moments may be trusted."""
        return self.even | ((self.k_hat < GOOD_K) & (self.ess >= LEAST_ESS))

    @property
    def surely_trusted(self) -> np.ndarray:
        """Whether they may be trusted though k-hat is noisy."""
        return self.even | ((self.k_hat + self.k_hat_error < GOOD_K) & (self.ess >= LEAST_ESS))


@dataclass(frozen=True)
class ChainFigures:
    """What short chains say: numbers, or one for each row that was looked at.

    Attributes:
        moved: By latent, the shift and the ratio of the number that the chains move most; of many rows, the middling one.
        off: Whether they move the moments beyond the thresholds.
        agree: Whether weights move them as far.
        mixed: Whether the chains have forgotten where they began.
        elsewhere: Share of the chains from far out that end where no draw of q is, at no lower density.
    """

    moved: dict[str, tuple[float, float]]
    off: np.ndarray
    agree: np.ndarray
    mixed: np.ndarray
    elsewhere: float


def is_off(moved: Moved, errors: float = ERRORS) -> np.ndarray:
    """Returns where moments move beyond the thresholds, and beyond noise."""
    far = np.abs(moved.shift) - errors * moved.shift_error > SHIFT
    return far | (np.abs(np.log(moved.ratio)) - errors * moved.ratio_error > np.log(RATIO))


def verdict(weights: WeightFigures, chains: ChainFigures | None) -> str:
    """Returns "close", "mendable" or "far", by the table above.

    Args:
        weights: What importance weights say.
        chains: What short chains say; None where there are none.
    """
    if not weights.spreads or (chains is not None and chains.elsewhere > ELSEWHERE):
        return FAR
    off = weights.trusted & weights.off
    if chains is not None and _mostly(chains.mixed):
        if not _mostly(~chains.off):
            return MENDABLE if _mostly(weights.trusted) and _mostly(chains.agree) else FAR
        return CLOSE if _mostly(~off) else MENDABLE
    if chains is not None and not _mostly(~chains.off) and not _mostly(weights.even):
        return FAR  # they hardly mix, and moved all the same
    if not _mostly(weights.trusted):
        return FAR
    if _mostly(~off):
        return CLOSE
    return MENDABLE if _mostly(weights.surely_trusted) else FAR


def _mostly(figure: np.ndarray) -> bool:
    return bool(np.mean(figure) >= 1 - MANY_BAD)
