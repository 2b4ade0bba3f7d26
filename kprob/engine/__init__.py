"""The two networks of a model: how they are built, checked against each other and the data, and run.

May import: errors, checks, backend, saving, distributions, data, effects, layers, objectives, guides.
"""

from kprob.engine.building import build, build_generative, find_structure
from kprob.engine.evaluation import evaluate
from kprob.engine.networks import Networks
from kprob.engine.preparation import named_data, prepare_data
from kprob.engine.probing.dependencies import Dependencies, find_dependencies, latent_parents
from kprob.engine.probing.few_rows import FEW_ROWS, completed, on_few_rows
from kprob.engine.probing.structure import SiteInfo, Structure
from kprob.engine.spec import Spec

__all__ = [
    "Dependencies",
    "FEW_ROWS",
    "Networks",
    "SiteInfo",
    "Spec",
    "Structure",
    "build",
    "build_generative",
    "completed",
    "evaluate",
    "find_dependencies",
    "find_structure",
    "latent_parents",
    "named_data",
    "on_few_rows",
    "prepare_data",
]
