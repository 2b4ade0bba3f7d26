"""What a model is made of, found by running its generative network once: sites, shapes, plates."""

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kprob import distributions
from kprob.checks import known_size
from kprob.distributions.names import family_name
from kprob.distributions.wrappers import unwrapped
from kprob.effects import HasKind, Site, SiteKind, Trace

PROBE_ROWS = 1000
UNBOUNDED = ("real numbers", "real vectors", "real matrices", "angles")


@dataclass(frozen=True)
class SiteInfo(HasKind):
    """What is known of a site before any data.

    Attributes:
        name: Its name.
        kind: What it is.
        family: Name of its distribution's class.
        plates: Names and lengths of its plates, outermost first; the data plate's length is None.
        event_shape: Shape of one value.
        dtype: Type of its values.
        discrete: Whether its values are discrete.
        in_data_plate: Whether it has a value for each row of the data.
        fixed: Whether the network itself fixes its value by `do`.
        is_bounded: Whether some numbers are no values of it, as far as is known.
        possible: Which values are, `values -> bool for each`, where that is the same for all parameters; values may have
            any axes before those of one value.
        value_ndims: Axes of one value, for `possible`.
    """

    name: str
    kind: SiteKind
    family: str
    plates: tuple[tuple[str, int | None], ...]
    event_shape: tuple[int | None, ...]
    dtype: str
    discrete: bool
    in_data_plate: bool
    fixed: bool = False
    is_bounded: bool = False
    possible: Callable | None = field(default=None, compare=False, repr=False)
    value_ndims: int = 0


@dataclass(frozen=True)
class Structure:
    """The sites of a generative network.

    Attributes:
        sites: By name, in order.
    """

    sites: dict[str, SiteInfo]

    @property
    def has_data_plate(self) -> bool:
        """Whether any site has a value per row."""
        return any(site.in_data_plate for site in self.sites.values())

    def random_sites(self) -> list[str]:
        """Returns the names of the random variables, without those that the network fixes by `do`."""
        return [name for name, site in self.sites.items() if site.is_random and not site.fixed]


def site_info(site: Site) -> SiteInfo:
    """Describes a site of a run."""
    plates = tuple((p.name, None if p.is_data else known_size(p.size)) for p in site.plates)
    if site.is_random:
        shape = tuple(site.distribution.event_shape)
        family, discrete = family_name(site.distribution), distributions.is_discrete(site.distribution)
    else:
        value_shape = tuple(site.value.shape) if hasattr(site.value, "shape") else np.shape(site.value)
        shape, family, discrete = value_shape[len(plates) :], str(site.kind), False
    dtype, inside = _dtype_name(site.value), site.in_data_plate
    info = SiteInfo(site.name, site.kind, family, plates, shape, dtype, discrete, inside, site.intervened)
    return _with_support(info, site) if site.is_random else info


def _with_support(info: SiteInfo, site: Site) -> SiteInfo:
    inner = unwrapped(site.distribution)
    known = distributions.family_of(inner)
    support = None if known is None else known.support
    name = distributions.support_name(site.distribution)
    bounded = name is not None and name not in UNBOUNDED
    if support is None or not bounded or not support.fixed:
        return dataclasses.replace(info, is_bounded=bounded)
    possible = functools.partial(support.contains, inner)
    return dataclasses.replace(info, is_bounded=True, possible=possible, value_ndims=len(inner.event_shape))


def _dtype_name(value: Any) -> str:
    # TensorFlow writes <dtype: 'float32'>.
    text = str(getattr(value, "dtype", "float32"))
    return text.split("'")[-2] if "'" in text else text


def structure_of(trace: Trace) -> Structure:
    """Describes all sites of a run."""
    return Structure({site.name: site_info(site) for site in trace.sites.values()})


def run_on_covariates(
    run: Callable[[dict, int | None], Trace], covariates: dict[str, np.ndarray], whole: set[str]
) -> Trace:
    """Runs a generative network on its covariates before it is known which of them have rows.

    A covariate is per row if there is a data plate, and whole if there is none; which of the two is only known after
    the run. So the first try takes few rows of large arrays, and the second one all of everything.

    Args:
        run: `(batch, size) -> trace`.
        covariates: Arrays by name.
        whole: Names that the user marked as belonging to no row.

    Returns:
        The trace of the prior run that went through.
    """
    rows = {name: value for name, value in covariates.items() if name not in whole and value.ndim}
    longest = max((len(value) for value in rows.values()), default=0)
    if longest > PROBE_ROWS:
        few = {name: value[:PROBE_ROWS] if name in rows else value for name, value in covariates.items()}
        try:
            return run(few, None)
        except Exception:  # noqa: BLE001  (the whole arrays decide whether the program is wrong)
            pass
    return run(covariates, None)
