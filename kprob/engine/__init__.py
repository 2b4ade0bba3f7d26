"""How a model's networks are run on data: names to arrays, one run or many draws, the checks of p against q.

May import: errors, checks, backend, saving, distributions, effects, layers, objectives, guides.
"""

from kprob.engine.arrays import Whole, to_array, to_dict
from kprob.engine.batch import Data, batch_of, rows_of, take_rows
from kprob.engine.dependencies import Dependencies, find_dependencies, latent_parents
from kprob.engine.evaluation import evaluate
from kprob.engine.few_rows import FEW_ROWS, completed, on_few_rows
from kprob.engine.matching import check_pair, check_supports
from kprob.engine.networks import Networks
from kprob.engine.structure import SiteInfo, Structure, discover
from kprob.engine.support import check_support

__all__ = [
    "Data",
    "Dependencies",
    "FEW_ROWS",
    "Networks",
    "SiteInfo",
    "Structure",
    "Whole",
    "batch_of",
    "check_pair",
    "check_support",
    "check_supports",
    "completed",
    "discover",
    "evaluate",
    "find_dependencies",
    "latent_parents",
    "on_few_rows",
    "rows_of",
    "take_rows",
    "to_array",
    "to_dict",
]
