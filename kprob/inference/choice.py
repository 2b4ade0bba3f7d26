"""Which way to infer `compile` asks for: the one place where kinds of inference are told apart."""

from collections.abc import Callable

from kprob import objectives
from kprob.inference.chain_inference import ChainInference
from kprob.inference.context import Context
from kprob.inference.inference import Inference
from kprob.inference.population_inference import PopulationInference
from kprob.inference.variational_inference import VariationalInference
from kprob.objectives import Objective
from kprob.samplers import SMC, Sampler

# What `compile` gets, and the way to infer that it stands for; the first kind that fits counts.
WAYS: list[tuple[type, Callable[..., Inference]]] = [
    (SMC, PopulationInference),
    (Sampler, ChainInference),
    (Objective, VariationalInference),
]


def inference_by(method: object, context: Context) -> Inference:
    """Returns the way to infer that an objective or a sampler stands for.

    Args:
        method: What `compile` got: an objective, a function of two traces, or a sampler.
        context: The model and what belongs to it.

    Raises:
        CompileError: It is none of these.
    """
    if not any(isinstance(method, kind) for kind, _ in WAYS):
        method = objectives.get(method)
    return next(way(context, method) for kind, way in WAYS if isinstance(method, kind))
