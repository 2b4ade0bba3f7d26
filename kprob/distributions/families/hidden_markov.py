"""The family of Markov chains of hidden states whose observations are of another family."""

from typing import Any

from kprob.backend import tfd
from kprob.distributions.corrected.hidden_markov import HiddenMarkovModel
from kprob.distributions.families.stacking import Stack, broadcast_parameters, infer_number, known_ndims
from kprob.distributions.family import Family, Parameter, sized
from kprob.types import Distribution

STATES = "num_states"


def hidden_markov_family(inner: Family, event_ndims: int) -> Family:
    """Returns the family of Markov chains of hidden states whose observations are of an inner family.

    Args:
        inner: The family of one step's observation.
        event_ndims: Axes of one value, the whole series: time is the first.

    Returns:
        A family with initial and transition logits or probs, and the inner family's parameters for each state.
    """
    states, square = sized(STATES), sized(STATES, STATES)
    chain = {
        "initial_logits": Parameter(0.0, event_ndims=1, shape=states),
        "initial_probs": Parameter(None, "simplex", 1, states),
        "transition_logits": Parameter(0.0, event_ndims=2, shape=square),
        "transition_probs": Parameter(None, "simplex", 2, square),
    }
    names = {name: name for name in inner.parameters}
    stack = Stack(inner, names, event_ndims - 1 - known_ndims(inner), STATES, time_ndims=1)
    parameters = {**chain, **stack.parameters()}

    def constructor(num_steps: int, num_states: int | None = None, **values: Any) -> Distribution:
        values = broadcast_parameters(parameters, values)
        initial, transition = (
            {scale: values.pop(f"{part}_{scale}") for scale in ("logits", "probs") if f"{part}_{scale}" in values}
            for part in ("initial", "transition")
        )
        observation = stack.distribution(values)
        return HiddenMarkovModel(
            tfd.Categorical(**initial), tfd.Categorical(**transition), observation, num_steps=num_steps
        )

    return Family(
        "HiddenMarkovModel",
        constructor,
        parameters,
        learned=None if inner.learned is None else ("initial_logits", "transition_logits", *inner.learned),
        alternatives=(
            ("initial_logits", "initial_probs"),
            ("transition_logits", "transition_probs"),
            *inner.alternatives,
        ),
        event_ndims=event_ndims,
        event=lambda shapes, settings: (None, *stack.event(shapes, settings)),
        infer=lambda shapes: infer_number(parameters, chain, shapes, STATES),
        from_event=lambda event: {"num_steps": event[0]},
        discrete=inner.discrete,
        dtype=inner.dtype,
        settings={**inner.settings, STATES: None},
    )
