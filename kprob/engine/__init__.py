"""The two networks of a model: how they are built, checked against each other and the data, and run.

May import: errors, checks, backend, saving, distributions, data, effects, layers, objectives, guides.
"""

from kprob.engine.building import build, build_generative, find_structure
from kprob.engine.evaluation import evaluate
from kprob.engine.networks import Networks
from kprob.engine.preparation import named_data, prepare_data
from kprob.engine.probing.dependencies import Dependencies, latent_parents
from kprob.engine.probing.dependency_search import find_dependencies
from kprob.engine.probing.first_rows import FIRST_ROWS, on_first_rows, with_site_values
from kprob.engine.probing.folding import folds_generative
from kprob.engine.probing.structure import SiteInfo, Structure
from kprob.engine.spec import Spec

__all__ = [
    "Dependencies",
    "FIRST_ROWS",
    "Networks",
    "SiteInfo",
    "Spec",
    "Structure",
    "build",
    "build_generative",
    "evaluate",
    "find_dependencies",
    "find_structure",
    "folds_generative",
    "latent_parents",
    "named_data",
    "on_first_rows",
    "prepare_data",
    "with_site_values",
]
