"""A discrete latent that is summed out, and which sites can be."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kprob import distributions
from kprob.effects import Site, Trace


@dataclass(frozen=True, eq=False)
class SummedVariable:
    """A discrete latent that is summed out.

    Attributes:
        name: Its name: the site's, or for a state along time one step earlier, that of `past_name`.
        values: Its values, shape `(number,) + event_shape`.
        plates: Names of its plates.
        colour: Which number of a run it takes its value from.
        state: For a state along time one step earlier, the site; else None.
    """

    name: str
    values: np.ndarray
    plates: tuple[str, ...]
    colour: int = 0
    state: str | None = None

    @property
    def number(self) -> int:
        """How many values it has."""
        return len(self.values)


def past_name(state: str) -> str:
    """Returns the name of the variable that stands for a state along time one step earlier."""
    return f"{state} before"


def past_of(variables: Mapping[str, SummedVariable]) -> dict[str, str]:
    """Returns for each state along time the variable that stands for it one step earlier."""
    return {variable.state: name for name, variable in variables.items() if variable.state is not None}


def site_names(variables: Mapping[str, SummedVariable]) -> tuple[str, ...]:
    """Returns the names of the sites among variables: of all but those that stand for one step earlier."""
    return tuple(name for name, variable in variables.items() if variable.state is None)


def enumerable(site: Site) -> bool:
    """Whether a latent can be summed out: discrete, with finitely many values that are known before running."""
    return (
        distributions.is_discrete(site.distribution) and distributions.enumerate_support(site.distribution) is not None
    )


def to_sum_out(generative: Trace, inference: Trace) -> list[Site]:
    """Returns the sites of p that are neither observed nor in q, and have finitely many values."""
    return [s for s in generative.random_sites(observed=False) if s.name not in inference and enumerable(s)]
