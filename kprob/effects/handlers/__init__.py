"""The handlers: each changes what a network's run means. The first sentence of each is its law; tests hold it.

All work as a wrapper, `condition(network, {"x": 1.0})(...)`, and as a context, `with condition(data={"x": 1.0}): ...`.
They nest, are opened inside one run and never stored.
"""

from kprob.effects.handlers.densities import mask, scale
from kprob.effects.handlers.runs import block, rows, seed, trace
from kprob.effects.handlers.values import condition, do, replay, substitute

__all__ = ["block", "condition", "do", "mask", "replay", "rows", "scale", "seed", "substitute", "trace"]
