"""Filters along a `kprob.scan`. May import: all below evaluation."""

from kprob.filtering.checks import check_options
from kprob.filtering.filter import particle_filter
from kprob.filtering.filtered import Filtered

__all__ = ["Filtered", "check_options", "particle_filter"]
