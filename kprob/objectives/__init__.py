"""Objectives: what `fit` maximises. May import: errors, checks, backend, saving, distributions, effects."""

from kprob.namespaces import listing
from kprob.objectives.analytic_kl import AnalyticKLELBO
from kprob.objectives.baselines.baseline import Baseline
from kprob.objectives.baselines.moving_average_baseline import MovingAverageBaseline
from kprob.objectives.baselines.neural_baseline import NeuralBaseline
from kprob.objectives.beta import BetaELBO
from kprob.objectives.elbo import ELBO
from kprob.objectives.estimation.kernels import RBF, Kernel, Linear
from kprob.objectives.forward_kl import ForwardKL
from kprob.objectives.importance_weighted import ImportanceWeightedELBO
from kprob.objectives.info_vae import MMD, InfoVAE
from kprob.objectives.lookup import get
from kprob.objectives.multi_sample import MultiSampleObjective
from kprob.objectives.objective import FunctionObjective, Objective
from kprob.objectives.renyi import RenyiELBO
from kprob.objectives.reweighted_wake_sleep import ReweightedWakeSleep
from kprob.objectives.stein import Stein
from kprob.objectives.sticking_the_landing import StickingTheLandingELBO
from kprob.objectives.tail_adaptive import TailAdaptive

__all__ = [
    "AnalyticKLELBO",
    "Baseline",
    "BetaELBO",
    "ELBO",
    "ForwardKL",
    "FunctionObjective",
    "ImportanceWeightedELBO",
    "InfoVAE",
    "Kernel",
    "Linear",
    "MMD",
    "MovingAverageBaseline",
    "MultiSampleObjective",
    "NeuralBaseline",
    "Objective",
    "RBF",
    "RenyiELBO",
    "ReweightedWakeSleep",
    "Stein",
    "StickingTheLandingELBO",
    "TailAdaptive",
    "get",
]
__dir__ = listing(__all__)
