"""What `deterministic` records: a tensor of shape `plate_shape + event_shape`."""

from typing import Any

import keras

from kprob import checks
from kprob.backend import float_type, is_tensor
from kprob.checks import plates_text
from kprob.effects.site import Plate
from kprob.errors import SiteError, explain
from kprob.types import Tensor


def recorded_value(name: str, value: Any, plates: tuple[Plate, ...]) -> Tensor:
    """Returns a value that follows from others as a tensor; what stands for all elements is repeated along the plates.

    Args:
        name: Name of the site.
        value: What the user wrote.
        plates: The open plates.

    Raises:
        SiteError: It is no tensor, or its first axes aren't those of the plates.
    """
    tensor = _tensor(name, value)
    shape, sizes = tuple(tensor.shape), tuple(checks.known_size(plate.size) for plate in plates)
    lead, event = shape[: len(sizes)], tuple(keras.ops.shape(tensor))[len(sizes) :]
    if lead == sizes or (checks.shapes_fit(lead, sizes) and 1 not in lead):
        return tensor
    if not shape or (len(lead) == len(sizes) and checks.broadcasts(lead, sizes)):
        return keras.ops.broadcast_to(tensor, (*(plate.size for plate in plates), *event))
    raise SiteError(
        explain(
            f"The value of `{name}` doesn't fit its plates: {plates_text(plates)}.",
            received=f"shape {shape}",
            expected=f"one number, or a shape that begins with {sizes}: a value for each element of the plates",
            fix="write it before the plate is opened, where it belongs to no element of it",
        )
    )


def _tensor(name: str, value: Any) -> Tensor:
    if is_tensor(value) or isinstance(value, keras.KerasTensor):
        return value
    try:
        tensor = keras.ops.convert_to_tensor(value)
        kind = keras.backend.standardize_dtype(tensor.dtype)
    except Exception:  # noqa: BLE001  (each backend has its own way to refuse)
        kind = "none"
    if kind in ("none", "string", "object"):
        raise SiteError(
            explain(
                f"The value of `{name}` is no tensor.",
                received=f"{type(value).__name__}",
                expected="a tensor, an array or a number",
                fix=f"record the parts of a structure one by one, each by a name of its own: "
                f'kprob.deterministic("{name}_0", value)',
            )
        )
    return keras.ops.cast(tensor, float_type()) if kind == "float64" else tensor
