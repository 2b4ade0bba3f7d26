"""What a network's run is made of. Read `site`, `stack`, `primitives` and `handlers`, in this order: ten minutes.

Then `trace` (what a run leaves behind), `scan` with `steps` (time), and `reparameterize`.

May import: errors, checks, backend, distributions.
"""

from kprob.effects import handlers
from kprob.effects.primitives import datamodel, deterministic, factor, module, param, plate, sample
from kprob.effects.reparameterize import Inverted, LocScale, Transform, reparam
from kprob.effects.scan import AnyPast, scan
from kprob.effects.site import HasKind, Plate, Site, SiteKind
from kprob.effects.stack import STATE, Handler, running, send
from kprob.effects.steps import Steps
from kprob.effects.trace import Trace

__all__ = [
    "AnyPast",
    "Handler",
    "HasKind",
    "Inverted",
    "LocScale",
    "Plate",
    "STATE",
    "Site",
    "SiteKind",
    "Steps",
    "Trace",
    "Transform",
    "datamodel",
    "deterministic",
    "factor",
    "handlers",
    "module",
    "param",
    "plate",
    "reparam",
    "running",
    "sample",
    "scan",
    "send",
]
