"""Exact sums over finite discrete latents that q leaves out.

factors.py       a site's density for all values of what it depends on
tables.py        log-weights with an axis for each latent and each plate
plan.py          what is summed out, what depends on it, in which runs of the network
runs.py          the runs
elimination.py   the sum-product algorithm with plates
collapse.py      p's trace for an objective, latents summed out
"""

from kprob.engine.enumeration.collapse import collapse
from kprob.engine.enumeration.plan import Plan, enumerable, find_plan, to_sum_out

__all__ = ["Plan", "collapse", "enumerable", "find_plan", "to_sum_out"]
