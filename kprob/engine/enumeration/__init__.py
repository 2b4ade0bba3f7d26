"""Exact sums over finite discrete latents that q leaves out.

summed_variable.py     a latent that is summed out; which can be
generative_network.py  what a sum needs of a model's networks
assignment.py          handlers that give such latents the values of one run
log_factor.py          a site's density for all values of what it depends on
plan.py                what is summed out, what depends on it, in which runs of the network
factors.py             the runs, and the factors that they give
tables.py              log-weights with an axis for each latent and each plate
elimination.py         the sum-product algorithm with plates
state_chain.py         sums over all paths of a state along time
collapse.py            p's trace for an objective, latents summed out
conditional.py         the latents' exact distribution given the rest: draws, probabilities, the most probable values
"""

from kprob.engine.enumeration import conditional
from kprob.engine.enumeration.collapse import collapse
from kprob.engine.enumeration.factors import Factors, find_factors, num_runs
from kprob.engine.enumeration.plan import SummationPlan, find_plan
from kprob.engine.enumeration.summed_variable import enumerable, to_sum_out

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
