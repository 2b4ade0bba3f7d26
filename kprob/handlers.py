"""`kprob.handlers`: everything that changes what a run of a network means."""

from kprob.effects.handlers import block, condition, do, mask, replay, rows, scale, seed, substitute, trace
from kprob.effects.reparameterize import reparam

__all__ = [
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
