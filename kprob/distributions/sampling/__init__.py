"""Draws from kprob's own random numbers: the same eagerly, in graphs and under XLA, and quick there.

`draw` draws from any distribution. The other files have a function for each family, which takes a distribution, the sample
and batch shape wanted, to which the distribution's parameters broadcast, and a seed; all are differentiable in the
parameters where the distribution is continuous.
"""
