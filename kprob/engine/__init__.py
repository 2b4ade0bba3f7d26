"""How a model's networks are run on data: names to arrays, one run or many draws, the checks of p against q.

May import: errors, checks, backend, saving, distributions, effects, layers, objectives, guides.
"""

from kprob.engine.evaluation import evaluate
from kprob.engine.matching import check_pair, check_supports
from kprob.engine.networks import Networks
from kprob.engine.probing.dependencies import Dependencies, find_dependencies, latent_parents
from kprob.engine.probing.few_rows import FEW_ROWS, completed, on_few_rows
from kprob.engine.probing.structure import SiteInfo, Structure, discover
from kprob.engine.support import check_support

__all__ = [
    "Dependencies",
    "FEW_ROWS",
    "Networks",
    "SiteInfo",
    "Structure",
    "check_pair",
    "check_support",
    "check_supports",
    "completed",
    "discover",
    "evaluate",
    "find_dependencies",
    "latent_parents",
    "on_few_rows",
]
