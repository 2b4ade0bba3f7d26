"""Baselines: guesses of an objective's terms that don't see the draw, which take variance off the score function.

E_q[b ∇ log q(z)] = 0 for every b that doesn't depend on z: so a baseline changes no gradient's mean.
"""

import keras

from kprob.effects import Site, Trace
from kprob.types import Tensor


class Baseline(keras.layers.Layer):
    """Base class of baselines; a Keras layer, so that what it learns is trained and saved with the model.

    To subclass, override `make`, which makes the variables for one latent, and `guess`; and `learn` where the baseline
    learns by averages rather than by gradients.
    """

    def make(self, site: Site, generative_trace: Trace, inference_trace: Trace) -> None:
        """Makes the variables for a latent.

        Args:
            site: The latent, as q drew it.
            generative_trace: A trace of p.
            inference_trace: A trace of q.
        """
        raise NotImplementedError(f"{type(self).__name__} must override `make`.")

    def guess(self, site: Site, generative_trace: Trace, inference_trace: Trace) -> Tensor:
        """Returns a number, or one for each element of the latent's plates."""
        raise NotImplementedError(f"{type(self).__name__} must override `guess`.")

    def learn(self, name: str, signal: Tensor) -> None:
        """Learns from a step: from what it was to guess.

        Args:
            name: Name of the latent.
            signal: What the latent's score was multiplied by, averaged over plates and draws: a scalar.
        """
