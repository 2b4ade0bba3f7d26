"""`kprob.handlers`: everything that changes what a run of a network means, and the trace that a run leaves."""

from kprob.effects.handlers import block, condition, do, mask, replay, rows, scale, seed, substitute, trace
from kprob.effects.reparameterize import reparam
from kprob.effects.trace import Trace
from kprob.namespaces import listing

__all__ = [
    "Trace",
    "block",
    "condition",
    "do",
    "mask",
    "reparam",
    "replay",
    "rows",
    "scale",
    "seed",
    "substitute",
    "trace",
]
__dir__ = listing(__all__)
