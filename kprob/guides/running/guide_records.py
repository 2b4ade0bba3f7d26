"""What a guide knows of its latents and parameters beside the variables themselves."""

import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras

from kprob.effects import Site
from kprob.errors import MismatchError, explain, names
from kprob.types import Bijector


@dataclass(frozen=True)
class GuideLatent:
    """What a guide knows of a latent.

    Attributes:
        name: Its name.
        plates: Names and lengths of its plates, outermost first; the data plate's length is None.
        shape: Shape of its unconstrained numbers, without the axis of rows.
        event_ndims: How many of the last axes of its unconstrained numbers are the event.
        in_rows: Whether it is inside the data plate.
    """

    name: str
    plates: tuple[tuple[str, int | None], ...]
    shape: tuple[int, ...]
    event_ndims: int
    in_rows: bool

    @property
    def size(self) -> int:
        """How many numbers it has, in one row where it is inside the data plate."""
        return math.prod(self.shape)


@dataclass(slots=True)
class GuideRecords:
    """The plain records of a guide. Keras tracks and wraps dicts and lists of a layer, and leaves this object alone.

    Attributes:
        init: Where latents start: a rule's name, or values by latent.
        inputs: Names of the data that the encoder takes.
        latents: The latents by name, in the order in which they are drawn.
        bijectors: By latent, from unconstrained values onto its support; None where the support differs from run to run.
        parameters: The variables by the parameters' names.
        row_parameters: Names of the parameters of latents inside the data plate.
        head_shapes: By parameter that a head on the encoder makes, its shape in one row.
        num_features: Length of the encoder's vector for a row.
        draw_posterior: `(number, data, seed) -> dict` of draws by latent.
        owner: The model, or the group of guides, that it is the guide of; it may be gone.
    """

    init: str | dict[str, Any]
    inputs: tuple[str, ...]
    latents: dict[str, GuideLatent] = field(default_factory=dict)
    bijectors: dict[str, Bijector] = field(default_factory=dict)
    parameters: dict[str, keras.Variable] = field(default_factory=dict)
    row_parameters: set[str] = field(default_factory=set)
    head_shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    num_features: int = 0
    draw_posterior: Callable[..., dict] = lambda number, data, seed: {}
    owner: weakref.ref | None = None

    def claim(self, owner: object, owner_name: str, guide_name: str, built: bool) -> None:
        """Takes note of what the guide belongs to.

        Args:
            owner: A model, or a group of guides.
            owner_name: Its name, for messages.
            guide_name: The guide's class, for messages.
            built: Whether the guide has its variables.

        Raises:
            MismatchError: It has them for another owner.
        """
        before = None if self.owner is None else self.owner()
        if built and before is not None and before is not owner:
            raise MismatchError(
                explain(
                    f"The guide {guide_name} of {owner_name} is another model's guide: fitting the one would change the other's "
                    "posterior.",
                    received=f"a guide of the latents {names(self.latents)} of {getattr(before, 'name', 'a model')}",
                    expected="a guide of its own for each model",
                    fix=f"make another one: inference=kprob.guides.{guide_name}(...)",
                )
            )
        self.owner = weakref.ref(owner)


def describe_latent(site: Site, start_shape: tuple[int, ...]) -> GuideLatent:
    """Returns what a guide is to know of a latent.

    Args:
        site: The latent.
        start_shape: Shape of its unconstrained start value, with an axis of rows inside the data plate.
    """
    plates = tuple((plate.name, None if plate.is_data else int(plate.size)) for plate in site.plates)
    shape = start_shape[1:] if site.in_data_plate else start_shape
    return GuideLatent(site.name, plates, shape, len(start_shape) - len(plates), site.in_data_plate)
