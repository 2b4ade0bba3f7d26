"""The Kullback-Leibler divergence of two distributions in closed form.   KL(q ‖ p) = E_q[log q(z) − log p(z)]

The formulas are TFP's, such as that of two normals; a pair that it has none for has no closed form here.
"""

from kprob.backend import tfd
from kprob.types import Distribution, Tensor


def kl_divergence(q: Distribution, p: Distribution) -> Tensor | None:
    """Returns KL(q ‖ p), or None where no closed form is known.

    Args:
        q: A TFP distribution.
        p: A TFP distribution of the same event shape.

    Returns:
        A tensor of the batch shapes' common shape.
    """
    try:
        return tfd.kl_divergence(q, p)
    except NotImplementedError:
        return None


def entropy(distribution: Distribution) -> Tensor | None:
    """Returns the entropy −E[log q(z)], or None where no closed form is known.

    Args:
        distribution: A TFP distribution.

    Returns:
        A tensor of the batch shape.
    """
    try:
        return distribution.entropy()
    except NotImplementedError:
        return None
