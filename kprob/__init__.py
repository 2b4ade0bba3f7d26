"""kprob: probabilistic models as Keras models.

The map, from the ground up; a module imports only from lines above its own:

    errors           what every message says
    checks           contracts of names, shapes and plates
    backend | saving         TensorFlow or JAX behind one door | registration and the archive
    distributions | diagnostics      registry of families | trust: ESS, R-hat, PSIS, calibration
    effects          sites, the stack, the primitives, the handlers
    layers | objectives      random variables as layers | what `fit` maximises
    guides           ready inference networks
    engine           data to batches, runs of the networks, checks of p against q
    density          unconstrained log-density
    mcmc | queries   samplers | prior, posterior, posterior predictive
    models           ProbabilisticModel and ready models
    callbacks | plots        Keras callbacks | figures
"""

from kprob import callbacks, diagnostics, errors, guides, handlers, layers
from kprob.backend import tfb, tfd
from kprob.effects import (
    LocScale,
    Trace,
    Transform,
    datamodel,
    deterministic,
    factor,
    module,
    param,
    plate,
    sample,
    scan,
)
from kprob.engine import Whole
from kprob.mcmc import (
    HMC,
    MALA,
    MCLMC,
    NUTS,
    SGHMC,
    SGLD,
    SMC,
    AdjustedMCLMC,
    ChEES,
    DiscreteGibbs,
    ParallelTempering,
    RandomWalkMetropolis,
    Sampler,
    Slice,
)
from kprob.models import Optimizers, ProbabilisticModel, probmodel
from kprob.objectives import (
    ELBO,
    MMD,
    AnalyticKLELBO,
    BetaELBO,
    ForwardKL,
    ImportanceWeightedELBO,
    InfoVAE,
    MovingAverageBaseline,
    MultiSampleObjective,
    NeuralBaseline,
    Objective,
    RenyiELBO,
    ReweightedWakeSleep,
    Stein,
    StickingTheLandingELBO,
    TailAdaptive,
)
from kprob.plots import plot_model
from kprob.saving import load_model

__version__ = "0.1.0"

__all__ = [
    "AnalyticKLELBO",
    "BetaELBO",
    "ELBO",
    "HMC",
    "MALA",
    "MCLMC",
    "NUTS",
    "ForwardKL",
    "ImportanceWeightedELBO",
    "InfoVAE",
    "SGHMC",
    "SGLD",
    "SMC",
    "AdjustedMCLMC",
    "ChEES",
    "DiscreteGibbs",
    "LocScale",
    "MMD",
    "MovingAverageBaseline",
    "MultiSampleObjective",
    "NeuralBaseline",
    "Objective",
    "Optimizers",
    "ParallelTempering",
    "ProbabilisticModel",
    "RandomWalkMetropolis",
    "Sampler",
    "RenyiELBO",
    "ReweightedWakeSleep",
    "Stein",
    "StickingTheLandingELBO",
    "TailAdaptive",
    "Slice",
    "Trace",
    "Transform",
    "Whole",
    "callbacks",
    "datamodel",
    "deterministic",
    "diagnostics",
    "errors",
    "factor",
    "guides",
    "handlers",
    "layers",
    "load_model",
    "module",
    "param",
    "plate",
    "plot_model",
    "probmodel",
    "sample",
    "scan",
    "tfb",
    "tfd",
]
