"""What a query is about."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """What a query is about: hashable, so that its compiled programs are found again.

    Attributes:
        kind: "prior", "posterior" or "posterior_predictive".
        names: Sites asked for.
        size: Length of the data plate where the data has no rows.
    """

    kind: str
    names: tuple[str, ...]
    size: int
