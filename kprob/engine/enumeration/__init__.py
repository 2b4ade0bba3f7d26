"""Exact sums over finite discrete latents that q leaves out.

factors.py       a site's density for all values of what it depends on
tables.py        log-weights with an axis for each latent and each plate
plan.py          what is summed out, what depends on it, in which runs of the network
runs.py          the runs
elimination.py   the sum-product algorithm with plates
collapse.py      p's trace for an objective, latents summed out
conditional.py   the latents' exact distribution given the rest: draws, probabilities, the most probable values
"""

from kprob.engine.enumeration import conditional
from kprob.engine.enumeration.collapse import collapse
from kprob.engine.enumeration.plan import SummationPlan, enumerable, find_plan, to_sum_out
from kprob.engine.enumeration.runs import Factors, find_factors, num_runs

__all__ = [
    "Factors",
    "SummationPlan",
    "collapse",
    "conditional",
    "enumerable",
    "find_factors",
    "find_plan",
    "num_runs",
    "to_sum_out",
]
