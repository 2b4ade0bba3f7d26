"""Families made of another family with one more axis: a mixture's components, a Markov chain's states.

The axis stands between the plates and the axes of one value: parameters of the inner family have the shape
`plates + (number,) + event_shape`.
"""

import dataclasses

from kprob.backend import tfd
from kprob.distributions.broadcasting import broadcast_batch
from kprob.distributions.corrected.hidden_markov import HiddenMarkovModel
from kprob.distributions.family import Family, Parameter, sized
from kprob.errors import SiteError, explain

COMPONENTS, STATES = "num_components", "num_states"


def mixture_family(inner: Family, event_ndims: int) -> Family:
    """Returns the family of mixtures of an inner family's distributions.

    Args:
        inner: The components' family.
        event_ndims: Axes of one value; those beyond the inner family's own are independent given the component.

    Returns:
        A family with the parameters `logits` or `probs`, shape (num_components,), and the inner family's.
    """
    require_known_axes(inner)
    weights = {
        "logits": Parameter(0.0, event_ndims=1, shape=sized(COMPONENTS)),
        "probs": Parameter(None, "simplex", 1, sized(COMPONENTS)),
    }
    names = {name: f"component_{name}" if name in weights else name for name in inner.parameters}
    extra = event_ndims - inner.event_ndims
    parameters = {**weights, **_stacked_parameters(inner, names, extra, COMPONENTS, time_ndims=0)}

    def constructor(num_components=None, reparameterize=False, **values):
        values = _broadcast(parameters, values)
        own = {name: values.pop(name) for name in weights if name in values}
        components = _stacked(inner, names, values, extra)
        return tfd.MixtureSameFamily(tfd.Categorical(**own), components, reparameterize=reparameterize)

    return Family(
        "Mixture",
        constructor,
        parameters,
        learned=None if inner.learned is None else ("logits", *(names[name] for name in inner.learned)),
        alternatives=(("logits", "probs"), *(tuple(names[n] for n in group) for group in inner.alternatives)),
        event_ndims=event_ndims,
        event=lambda shapes, settings: _event(inner, names, extra, shapes, settings),
        infer=lambda shapes: _infer(parameters, weights, shapes, COMPONENTS),
        from_event=inner.from_event,
        discrete=inner.discrete,
        dtype=inner.dtype,
        settings={**inner.settings, COMPONENTS: None, "reparameterize": False},
    )


def hidden_markov_family(inner: Family, event_ndims: int) -> Family:
    """Returns the family of Markov chains of hidden states whose observations are of an inner family.

    Args:
        inner: The family of one step's observation.
        event_ndims: Axes of one value, the whole series: time is the first.

    Returns:
        A family with initial and transition logits or probs, and the inner family's parameters for each state.
    """
    require_known_axes(inner)
    states, square = sized(STATES), sized(STATES, STATES)
    chain = {
        "initial_logits": Parameter(0.0, event_ndims=1, shape=states),
        "initial_probs": Parameter(None, "simplex", 1, states),
        "transition_logits": Parameter(0.0, event_ndims=2, shape=square),
        "transition_probs": Parameter(None, "simplex", 2, square),
    }
    names = {name: name for name in inner.parameters}
    extra = event_ndims - 1 - inner.event_ndims
    parameters = {**chain, **_stacked_parameters(inner, names, extra, STATES, time_ndims=1)}

    def constructor(num_steps, num_states=None, **values):
        values = _broadcast(parameters, values)
        initial, transition = (
            {kind: values.pop(f"{part}_{kind}") for kind in ("logits", "probs") if f"{part}_{kind}" in values}
            for part in ("initial", "transition")
        )
        observation = _stacked(inner, names, values, extra)
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
        event=lambda shapes, settings: (None, *_event(inner, names, extra, shapes, settings)),
        infer=lambda shapes: _infer(parameters, chain, shapes, STATES),
        from_event=lambda event: {"num_steps": event[0]},
        discrete=inner.discrete,
        dtype=inner.dtype,
        settings={**inner.settings, STATES: None},
    )


def require_known_axes(family: Family) -> None:
    """Raises where only a distribution of a family knows how many axes a value has.

    Args:
        family: A family.

    Raises:
        SiteError: It was made of a TFP class that isn't registered.
    """
    if family.event_ndims is None:
        raise SiteError(
            explain(
                f"{family.name} can't be the family of a part of another distribution: the axes of its values aren't known.",
                expected="a family that has a layer",
                fix=f"register it by kprob.distributions.register_family(Family({family.name!r}, ...)), or pass a whole "
                "distribution to layers.RandomVariable(kprob.tfd.MixtureSameFamily)",
            )
        )


def _stacked_parameters(inner: Family, names, extra: int, setting: str, time_ndims: int) -> dict[str, Parameter]:
    # The inner family's parameters, with an axis for the components or states and one for each axis of one value.
    return {
        names[name]: dataclasses.replace(
            parameter,
            event_ndims=1 + extra + parameter.event_ndims,
            shape=_stacked_shape(parameter, extra, setting, time_ndims),
            relate=_renamed(parameter.relate, names),
            # Components that start alike stay alike.
            spread=1.0 if parameter.constraint in ("real", "ordered", "unit_vector") else 0.1,
        )
        for name, parameter in inner.parameters.items()
    }


def _stacked_shape(parameter: Parameter, extra: int, setting: str, time_ndims: int):
    def shape(event, settings):
        event = event[time_ndims:]
        return (settings[setting], *event[:extra], *parameter.own_shape(event[extra:], settings))

    return shape


def _renamed(relate, names):
    if relate is None:
        return None
    return lambda value, others: relate(value, {name: others[new] for name, new in names.items() if new in others})


def _event(inner: Family, names, extra: int, shapes, settings):
    # Axes of one value beyond the inner family's come from the first parameter that has them.
    lead = (None,) * extra
    own = {}
    for name, parameter in inner.parameters.items():
        shape = shapes.get(names[name])
        if shape is None:
            continue
        kept = parameter.event_ndims
        own[name] = shape[max(0, len(shape) - kept) :]
        if extra and len(shape) >= kept + extra:
            lead = tuple(shape[len(shape) - kept - extra : len(shape) - kept])
    return (*lead, *inner.own_event(own, settings))


def _infer(parameters, counted, shapes, setting: str) -> dict[str, int]:
    # The number of components or states: the last axis of their own logits or probs, else the first of a parameter's.
    for name in counted:
        if shapes.get(name):
            return {setting: shapes[name][-1]}
    for name, shape in shapes.items():
        ndims = parameters[name].event_ndims
        if name not in counted and len(shape) >= ndims and shape[len(shape) - ndims] != 1:
            return {setting: shape[len(shape) - ndims]}
    return {}


def _broadcast(parameters, values) -> dict:
    tensors = {name: value for name, value in values.items() if name in parameters}
    ndims = {name: parameters[name].event_ndims for name in tensors}
    return {**values, **broadcast_batch(tensors, ndims)}


def _stacked(inner: Family, names, values, extra: int):
    back = {new: name for name, new in names.items()}
    distribution = inner.constructor(**{back.get(name, name): value for name, value in values.items()})
    return tfd.Independent(distribution, extra) if extra else distribution
