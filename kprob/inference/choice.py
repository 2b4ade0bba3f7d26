"""Which way to infer `compile` asks for: the one place where kinds of inference are told apart."""

from kprob import objectives
from kprob.inference.chain_inference import ChainInference
from kprob.inference.context import Context
from kprob.inference.inference import Inference
from kprob.inference.population_inference import PopulationInference
from kprob.inference.variational_inference import VariationalInference
from kprob.samplers import Sampler


def inference_by(method: object, context: Context) -> Inference:
    """Returns the way to infer that an objective or a sampler stands for.

    Args:
        method: What `compile` got: an objective, a function of two traces, or a sampler.
        context: The model and what belongs to it.

    Raises:
        CompileError: It is none of these.
    """
    if not isinstance(method, Sampler):
        return VariationalInference(context, objectives.get(method))
    return PopulationInference(context, method) if method.population else ChainInference(context, method)
