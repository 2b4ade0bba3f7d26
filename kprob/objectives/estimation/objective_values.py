"""What an objective says of a batch."""

from typing import NamedTuple

import keras

from kprob.types import Tensor


class ObjectiveValues(NamedTuple):
    """What is maximised and what is logged, of the whole data set; and what the objective itself learns from.

    Attributes:
        objective: What is maximised.
        elbo: The evidence lower bound.
        log_likelihood: The log-density of what is observed.
        kl: Their difference.
        signals: By latent, what its score was multiplied by, averaged over plates and draws: what a baseline is to guess.
    """

    objective: Tensor
    elbo: Tensor
    log_likelihood: Tensor
    kl: Tensor
    signals: dict[str, Tensor]


def mean_over_draws(values: ObjectiveValues) -> ObjectiveValues:
    """Returns the means of values that have a first axis of draws."""
    return keras.tree.map_structure(lambda value: keras.ops.mean(value, axis=0), values)
