"""Hidden Markov models with the hidden states summed out."""

from typing import Any

from kprob.distributions import hidden_markov_family, resolve_family
from kprob.distributions.resolving import FamilyLike, family_key
from kprob.errors import SiteError, explain
from kprob.layers.event_shapes import EventShape, normalize_event_shape
from kprob.layers.random_variable import RandomVariable
from kprob.saving import register
from kprob.types import ArrayLike


@register
class HiddenMarkovModel(RandomVariable):
    """A series of observations of a hidden Markov chain, whose states are summed out (the forward algorithm).

    p(x) = Σ over paths z of initial_probs[z₁] Πₜ transition_probs[zₜ₋₁, zₜ] Πₜ p(xₜ; the parameters of state zₜ)

    Parameters of the observations have the axis of the K states in front of those of one observation.

    Args:
        family: Family of one step's observation: its name, its layer's class or a class of TFP distributions.
        event_shape: Number of steps T, or the shape (T, ...) of the whole series; it is needed.
        initial_logits: Log-weights of the first state, shape (..., K); standard value 0.
        initial_probs: Probabilities of the first state, in their place.
        transition_logits: Log-weights of the next state, shape (..., K, K), a row for each state; standard value 0.
        transition_probs: Probabilities of the next state, in their place.
        num_states: Number of states K; only heads, free parameters and standard values need it.
        **parameters: Parameters of the observations in each state, settings of the family, and `name`, `dtype` and
            `trainable`.

    Raises:
        SiteError: There is no event shape.

    Example:
        ```python
        from kprob import layers

        x = layers.HiddenMarkovModel(
            "Normal", 2, initial_probs=[0.6, 0.4], transition_probs=[[0.8, 0.2], [0.3, 0.7]], loc=[18.0, 21.0]
        )
        assert abs(float(x.distribution().mean()[0]) - 19.2) < 1e-4
        ```
    """

    def __init__(
        self,
        family: FamilyLike,
        event_shape: EventShape = None,
        *,
        initial_logits: ArrayLike = None,
        initial_probs: ArrayLike = None,
        transition_logits: ArrayLike = None,
        transition_probs: ArrayLike = None,
        num_states: int | None = None,
        **parameters: Any,
    ):
        inner = resolve_family(family)
        if event_shape is None:
            raise SiteError(
                explain(
                    "A hidden Markov model needs to know its number of steps.",
                    fix='write layers.HiddenMarkovModel("Normal", 10, ...) for 10 steps',
                )
            )
        # The shape of a whole series, of which an int is the number of steps.
        shape = normalize_event_shape(event_shape, hidden_markov_family(inner, 1 + inner.own_ndims)) or ()
        super().__init__(
            hidden_markov_family(inner, len(shape)),
            shape,
            initial_logits=initial_logits,
            initial_probs=initial_probs,
            transition_logits=transition_logits,
            transition_probs=transition_probs,
            num_states=num_states,
            **parameters,
        )
        self.observation_family = family_key(inner)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "family": self.observation_family}
