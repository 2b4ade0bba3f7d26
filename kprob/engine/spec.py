"""What a build was made from, and what it found."""

from dataclasses import astuple, dataclass


@dataclass(frozen=True)
class Folding:
    """Which networks several draws can share a run of.

    Attributes:
        generative: Of p.
        inference: Of q.
        in_training: Of both, while layers are trained.
    """

    generative: bool
    inference: bool
    in_training: bool

    @property
    def of_both(self) -> bool:
        """Of both, while layers aren't trained."""
        return self.generative and self.inference

    def and_also(self, other: "Folding") -> "Folding":
        """Returns what holds by two trials."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Folding(*(one and another for one, another in pairs))


@dataclass(frozen=True)
class Coupling:
    """Which places of plates look at each other.

    Attributes:
        plates: Plates in which densities at one place depend on latents at another.
        across_rows: A site whose density at one row depends on other rows, their latents or data; None for none.
    """

    plates: frozenset[str] = frozenset()
    across_rows: str | None = None

    def and_also(self, other: "Coupling") -> "Coupling":
        """Returns what either of two trials has shown."""
        return Coupling(self.plates | other.plates, self.across_rows or other.across_rows)


@dataclass(frozen=True)
class Spec:
    """What a build was made from, and what it found.

    Attributes:
        rows: Shape of one row and type, by name.
        whole: Shape and type, by name.
        num_data: Rows of the data set.
        latents: Names of the latents, those of q.
        local: Whether all latents are inside the data plate.
        shared: Whether q may then run once for all draws that are folded into the batch.
        terms: Names of the terms of the objective, q's and then p's, in order.
        sampled: Whether it was built for a sampler, without an inference network.
        summed: Names of the discrete latents of p that q lacks, which are summed out.
        inferred: Names of all random variables of q: also those that the data of every fit had, so that q never learnt them.
    """

    rows: dict[str, tuple[tuple[int, ...], str]]
    whole: dict[str, tuple[tuple[int, ...], str]]
    num_data: int | None
    latents: tuple[str, ...]
    local: bool
    shared: bool
    terms: tuple[str, ...]
    sampled: bool = False
    summed: tuple[str, ...] = ()
    inferred: tuple[str, ...] = ()

    @property
    def unobserved(self) -> tuple[str, ...]:
        """Names of all latents of p, whether q has them or they are summed out."""
        return (*self.latents, *self.summed)
