"""How a model is learnt: by training q, by Markov chains, by populations. May import: all below models."""

from kprob.inference.choice import inference_by
from kprob.inference.context import Context
from kprob.inference.inference import Inference

__all__ = ["Context", "Inference", "inference_by"]
