"""Sites, the stack of handlers, the primitives and the handlers: ten minutes' reading, in the order of these imports.

May import: errors, checks, backend, distributions.
"""

from kprob.effects import handlers
from kprob.effects.primitives import datamodel, deterministic, factor, module, param, plate, sample
from kprob.effects.reparameterize import LocScale, Transform, reparam
from kprob.effects.scan import AnyPast, scan
from kprob.effects.site import Plate, Site
from kprob.effects.stack import STATE, Handler, running, send
from kprob.effects.steps import Steps
from kprob.effects.trace import Trace

__all__ = [
    "AnyPast",
    "Handler",
    "LocScale",
    "Plate",
    "STATE",
    "Site",
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
