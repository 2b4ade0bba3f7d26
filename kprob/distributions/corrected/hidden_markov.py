"""A Markov chain of hidden states, whose log-density keeps its digits however long it is.

    log p(x) = Σₜ cₜ + log Σₖ α_T[k],   αₜ = (αₜ₋₁ P) p(xₜ | ·) exp(−cₜ),   cₜ = log max of what α would be

TFP's forward pass carries log p(x₁, ..., xₜ, zₜ), a number that grows with t and is rounded at every step: after 10,000
steps in float32 the third digit is wrong. Here a step's numbers stay near zero, and what is taken out is added up in pairs.
"""

import keras

from kprob.backend import accumulate, tfd
from kprob.types import Tensor

ops = keras.ops

UNROLLED_STEPS = 16


class HiddenMarkovModel(tfd.HiddenMarkovModel):
    """TFP's hidden Markov model with a forward pass that is scaled at every step.

    Args:
        initial_distribution: Categorical distribution of the first state.
        transition_distribution: Categorical distributions of the next state, one for each state.
        observation_distribution: Distributions of the observations, one for each state.
        num_steps: Number of steps.

    Reference:
        Rabiner (1989), "A tutorial on hidden Markov models and selected applications in speech recognition".
    """

    def _log_prob(self, value: Tensor, mask: Tensor = None) -> Tensor:
        observed = self._observation_log_probs(value, mask=self._get_mask(mask))  # [T, B..., K]
        initial = ops.log_softmax(self.initial_distribution.logits_parameter())  # [B..., K]
        transition = ops.log_softmax(self.transition_distribution.logits_parameter())  # [B..., K, K]

        def once(state: dict, observation: Tensor) -> dict:
            forward = ops.logsumexp(state["forward"][..., None] + transition, axis=-2)
            return _scaled(forward + observation)

        first = _scaled(initial + observed[0] + ops.zeros_like(transition[..., 0, :]))
        steps = observed.shape[0]
        if steps is not None and steps <= UNROLLED_STEPS:
            last, scales = first, [first["scale"]]
            for step in range(1, steps):
                last = once(last, observed[step])
                scales.append(last["scale"])
            return _sum_in_pairs(ops.stack(scales)) + ops.logsumexp(last["forward"], axis=-1)
        states = accumulate(once, first, observed[1:])
        scales = ops.concatenate([first["scale"][None], states["scale"]], axis=0)
        return _sum_in_pairs(scales) + ops.logsumexp(states["forward"][-1], axis=-1)


def _scaled(forward: Tensor) -> dict:
    # Any scale gives the same density, so that no gradient need flow through it.
    scale = ops.stop_gradient(ops.max(forward, axis=-1))
    scale = ops.where(ops.isfinite(scale), scale, ops.zeros_like(scale))
    return {"forward": forward - scale[..., None], "scale": scale}


def _sum_in_pairs(values: Tensor) -> Tensor:
    # Along the first axis: as many roundings as its length has binary digits.
    while values.shape[0] > 1:
        if values.shape[0] % 2:
            values = ops.concatenate([values, ops.zeros_like(values[:1])], axis=0)
        values = values[::2] + values[1::2]
    return values[0]
