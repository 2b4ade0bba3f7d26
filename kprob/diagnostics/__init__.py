"""Whether an answer can be trusted: diagnostics on plain arrays, and simulation-based calibration.

May import: errors, checks, backend, saving.
"""

from kprob.diagnostics.calibration import Calibration
from kprob.diagnostics.ecdf_bands import ecdf_bands
from kprob.diagnostics.effective_sample_size import ess_bulk, ess_mean, ess_quantile, ess_tail
from kprob.diagnostics.energy import bfmi
from kprob.diagnostics.generalized_pareto import fit_generalized_pareto
from kprob.diagnostics.mixing import Mixing, mixing
from kprob.diagnostics.monte_carlo_error import mcse_mean, mcse_quantile, mcse_sd
from kprob.diagnostics.pareto_smoothing import Smoothed, pareto_smooth, systematic_resample
from kprob.diagnostics.rhat import rhat
from kprob.diagnostics.sbc import sbc
from kprob.diagnostics.trend import Trend, trend
from kprob.namespaces import listing

__all__ = [
    "Calibration",
    "Mixing",
    "Smoothed",
    "Trend",
    "bfmi",
    "ecdf_bands",
    "ess_bulk",
    "ess_mean",
    "ess_quantile",
    "ess_tail",
    "fit_generalized_pareto",
    "mcse_mean",
    "mcse_quantile",
    "mcse_sd",
    "mixing",
    "pareto_smooth",
    "rhat",
    "sbc",
    "systematic_resample",
    "trend",
]
__dir__ = listing(__all__)
