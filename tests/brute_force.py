"""Sums over all values of all discrete latents, one assignment after the other: what elimination must agree with."""

import itertools

import keras
import numpy as np
from scipy.special import logsumexp

from kprob import handlers


def log_joint(network, values, data):
    """Returns the log-density of one assignment and the data."""
    run = handlers.trace(handlers.substitute(handlers.condition(network, data), values)).get_trace
    first = np.asarray(next(iter(data.values())))
    with handlers.rows(size=len(first) if first.ndim else 1):
        return float(keras.ops.convert_to_numpy(run().log_prob()))


def assignments(shapes, number):
    """Yields all arrays of latents of these shapes with values from 0 to number - 1."""
    sizes = [int(np.prod(shape)) for shape in shapes.values()]
    for flat in itertools.product(range(number), repeat=sum(sizes)):
        parts = np.split(np.array(flat, "int32"), np.cumsum(sizes)[:-1])
        yield {n: part.reshape(shape) for (n, shape), part in zip(shapes.items(), parts, strict=True)}


def sums(network, shapes, number, data):
    """Returns the evidence, the marginal probabilities by site, the best assignment, and all joint log-densities."""
    each = [(values, log_joint(network, values, data)) for values in assignments(shapes, number)]
    evidence = logsumexp([log for _, log in each])
    marginals = {
        name: sum(np.exp(log - evidence) * np.eye(number)[values[name]] for values, log in each) for name in shapes
    }
    return evidence, marginals, max(each, key=lambda one: one[1])[0], each
