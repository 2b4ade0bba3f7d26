"""Guides: ready inference networks. May import: errors, checks, backend, saving, distributions, effects, layers, objectives."""

from kprob.guides.guide import Guide
from kprob.guides.normal import Normal
from kprob.guides.particles import Particles

__all__ = ["Guide", "Normal", "Particles"]
