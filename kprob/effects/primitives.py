"""The words that a network is written with: sample, param, deterministic, factor, plate, module (`scan` has a file of its own)."""

import contextlib
from collections.abc import Iterator

import keras

from kprob import checks
from kprob.backend import float_type, tfd
from kprob.distributions.corrected.replacing import corrected
from kprob.distributions.precision import to_float64
from kprob.effects.site import Plate, Site, SiteKind
from kprob.effects.stack import STATE, send
from kprob.types import ArrayLike, Distribution, Tensor


def sample(name: str, distribution: Distribution = None, observed: ArrayLike = None) -> Tensor:
    """Draws, or observes, a named random variable.

    Args:
        name: Name of the site, unique within a run of the network.
        distribution: A TFP distribution. Its batch shape broadcasts to the open plates; its event shape is the shape
            of one value (`tfd.Independent` turns batch axes into event axes).
        observed: The value where the network itself knows it.

    Returns:
        The value, a tensor of shape `plate_shape + event_shape`.

    Raises:
        SiteError: The batch shape or the observed value doesn't fit the plates.

    Example:
        ```python
        import kprob
        from kprob import tfd

        weight = kprob.sample("weight", tfd.Normal(8.5, 1.0))
        assert weight.shape == ()
        ```
    """
    checks.check_name(name)
    checks.check_distribution(name, distribution)
    distribution = corrected(distribution)
    if float_type() == "float64":
        distribution = to_float64(distribution)
    plates = tuple(STATE.plates)
    if checks.check_batch_shape(name, distribution, plates):
        inner = plates[len(plates) - len(distribution.batch_shape) :]
        distribution = tfd.BatchBroadcast(distribution, tuple(plate.size for plate in inner))
    site = Site(name, SiteKind.SAMPLE, distribution=distribution, plates=plates)
    if observed is not None:
        site.value, site.observed = checks.check_value(site, observed, "`observed=`"), True
    return send(site).value


def param(name: str, init: ArrayLike = 0.0, constraint: str = "real") -> Tensor:
    """Returns a learned number, tensor or array that belongs to the model that runs the network.

    Args:
        name: Name of the parameter, unique within the model.
        init: Initial value, whose shape is that of the parameter.
        constraint: "real", "positive", "unit", "simplex" or "lower_triangular".

    Returns:
        The value, which has the constraint. Outside a model it is `init`.

    Example:
        ```python
        import kprob

        rate = kprob.param("rate", 2.0, constraint="positive")
        assert float(rate) == 2.0
        ```
    """
    checks.check_name(name)
    checks.check_constraint(name, constraint)
    site = send(Site(name, SiteKind.PARAM, initial=init, constraint=constraint))
    if site.value is None:
        return keras.ops.convert_to_tensor(init, dtype=float_type())
    return keras.ops.cast(site.value, "float64") if float_type() == "float64" else site.value


def deterministic(name: str, value: Tensor) -> Tensor:
    """Records a value that follows from others under a name, so that queries can return it.

    Args:
        name: Name of the site.
        value: The value, of shape `plate_shape + event_shape`.

    Returns:
        The value.

    Example:
        ```python
        import kprob

        assert kprob.deterministic("twice", 2.0) == 2.0
        ```
    """
    checks.check_name(name)
    return send(Site(name, SiteKind.DETERMINISTIC, value=value, plates=tuple(STATE.plates))).value


def factor(name: str, log_weight: ArrayLike) -> None:
    """Adds any number to the log-density of the run, one per element of the open plates.

    Args:
        name: Name of the site.
        log_weight: The log-weight, broadcasting to the open plates.

    Example:
        ```python
        import kprob

        kprob.factor("penalty", -1.0)
        ```
    """
    checks.check_name(name)
    plates = tuple(STATE.plates)
    value = keras.ops.convert_to_tensor(log_weight)
    value = checks.broadcast_to_plates(name, value, plates)
    send(Site(name, SiteKind.FACTOR, value=value, plates=plates, observed=True))


@contextlib.contextmanager
def plate(name: str, size: int | None = None) -> Iterator[Plate]:
    """Opens an axis along which sites are independent.

    Args:
        name: Name of the plate.
        size: Its length. Without one it is the data plate: as long as the data (or the batch), axis 0.

    Yields:
        The plate, with its `size` and, inside a fit, the `indices` of the rows.

    Raises:
        SiteError: The data plate is opened inside another one, or a plate inside itself.

    Example:
        ```python
        import kprob
        from kprob import tfd

        with kprob.plate("schools", 8):
            effects = kprob.sample("effects", tfd.Normal(0.0, 1.0))
        assert effects.shape == (8,)
        ```
    """
    opened = Plate(name, size, is_data=size is None)
    checks.check_plate(opened, STATE.plates)
    for handler in reversed(STATE.handlers):
        handler.on_plate(opened)
    if opened.size is None:
        opened.size = 1
    STATE.plates.append(opened)
    try:
        yield opened
    finally:
        STATE.plates.remove(opened)


def datamodel(size: int | None = None) -> contextlib.AbstractContextManager[Plate]:
    """Opens the data plate: `plate("data")` by InferPy's name.

    Args:
        size: Length; as long as the data where it is left out.

    Returns:
        The context manager of `plate("data", size)`.

    Example:
        ```python
        import kprob
        from kprob import tfd

        with kprob.datamodel():
            x = kprob.sample("x", tfd.Normal(0.0, 1.0))
        assert x.shape == (1,)
        ```
    """
    return plate("data", size)


def module(name: str, layer: keras.layers.Layer) -> keras.layers.Layer:
    """Makes a network part of the model that runs, so that its weights are trained and saved with it.

    Args:
        name: Name of the network within the model.
        layer: A Keras layer or model.

    Returns:
        The layer.

    Example:
        ```python
        import keras
        import kprob

        decoder = kprob.module("decoder", keras.layers.Dense(3))
        ```
    """
    checks.check_name(name)
    return send(Site(name, SiteKind.MODULE, value=layer)).value
