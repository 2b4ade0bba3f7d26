"""kprob: probabilistic models as Keras models.

The map, from the ground up; a module imports only from lines above its own:

    types            names of types for signatures
    errors | numerics        what every message says | small arithmetic: one home for each function
    checks           contracts of names, shapes and plates
    backend | saving         TensorFlow or JAX behind one door | registration and the archive
    distributions | diagnostics | data       registry of families | trust: ESS, R-hat, PSIS, calibration | batches
    effects          sites, the stack, the primitives, the handlers
    layers | objectives      random variables as layers | what `fit` maximises
    guides           ready inference networks
    engine           data to batches, runs of the networks, checks of p against q
    density          unconstrained log-density
    samplers | queries       samplers | prior, posterior, posterior predictive
    filtering        particle filters
    models           ProbabilisticModel and ready models
    callbacks | plots        Keras callbacks | figures
"""

from kprob import (
    backend,  # noqa: F401 - before all others: it loads TensorFlow without its greetings
    callbacks,
    diagnostics,
    distributions,
    errors,
    guides,
    handlers,
    layers,
    models,
    objectives,
    optimizers,
    plots,
    samplers,
    saving,
)
from kprob.backend import tfb, tfd
from kprob.data import Whole
from kprob.effects import LocScale, Transform, datamodel, deterministic, factor, module, param, plate, sample, scan
from kprob.models import ProbabilisticModel, probmodel
from kprob.namespaces import elsewhere, listing
from kprob.objectives import ELBO
from kprob.plots import plot_model
from kprob.samplers import NUTS
from kprob.saving import load_model

__version__ = "0.1.0"

_NAMESPACES = [
    "callbacks",
    "diagnostics",
    "distributions",
    "errors",
    "guides",
    "handlers",
    "layers",
    "models",
    "objectives",
    "optimizers",
    "plots",
    "samplers",
    "saving",
]

__all__ = [
    "ELBO",
    "NUTS",
    "LocScale",
    "ProbabilisticModel",
    "Transform",
    "Whole",
    "callbacks",
    "datamodel",
    "deterministic",
    "diagnostics",
    "distributions",
    "errors",
    "factor",
    "guides",
    "handlers",
    "layers",
    "load_model",
    "models",
    "module",
    "objectives",
    "optimizers",
    "param",
    "plate",
    "plot_model",
    "plots",
    "probmodel",
    "sample",
    "samplers",
    "saving",
    "scan",
    "tfb",
    "tfd",
]
__dir__ = listing([*__all__, "__version__"])
__getattr__ = elsewhere(__name__, __all__, _NAMESPACES)
