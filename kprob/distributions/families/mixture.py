"""The family of mixtures of another family's distributions."""

from typing import Any

from kprob.backend import tfd
from kprob.distributions.families.stacking import Stack, broadcast_parameters, infer_number, known_ndims
from kprob.distributions.family import Family, Parameter, sized
from kprob.types import Distribution

COMPONENTS = "num_components"


def mixture_family(inner: Family, event_ndims: int) -> Family:
    """Returns the family of mixtures of an inner family's distributions.

    Args:
        inner: The components' family.
        event_ndims: Axes of one value; those beyond the inner family's own are independent given the component.

    Returns:
        A family with the parameters `logits` or `probs`, shape (num_components,), and the inner family's.
    """
    weights = {
        "logits": Parameter(0.0, event_ndims=1, shape=sized(COMPONENTS)),
        "probs": Parameter(None, "simplex", 1, sized(COMPONENTS)),
    }
    names = {name: f"component_{name}" if name in weights else name for name in inner.parameters}
    stack = Stack(inner, names, event_ndims - known_ndims(inner), COMPONENTS)
    parameters = {**weights, **stack.parameters()}

    def constructor(num_components: int | None = None, reparameterize: bool = False, **values: Any) -> Distribution:
        values = broadcast_parameters(parameters, values)
        own = {name: values.pop(name) for name in weights if name in values}
        components = stack.distribution(values)
        return tfd.MixtureSameFamily(tfd.Categorical(**own), components, reparameterize=reparameterize)

    return Family(
        "Mixture",
        constructor,
        parameters,
        learned=None if inner.learned is None else ("logits", *(names[name] for name in inner.learned)),
        alternatives=(("logits", "probs"), *(tuple(names[n] for n in group) for group in inner.alternatives)),
        event_ndims=event_ndims,
        event=stack.event,
        infer=lambda shapes: infer_number(parameters, weights, shapes, COMPONENTS),
        from_event=inner.from_event,
        discrete=inner.discrete,
        dtype=inner.dtype,
        settings={**inner.settings, COMPONENTS: None, "reparameterize": False},
    )
