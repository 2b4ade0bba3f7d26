"""The direct dependencies between the sites of a network, and what follows from them."""

from collections.abc import Iterable
from dataclasses import dataclass

from kprob.engine.probing.structure import Structure


@dataclass(frozen=True)
class Dependencies:
    """The direct dependencies between the sites of a network.

    Attributes:
        structure: The sites, of all branches that were met.
        parents: By site, what it directly depends on: sites and arguments of the network.
        layers: By site, the layers whose weights it directly depends on.
        arguments: Arguments of the network: whether each has a value per row of the data.
    """

    structure: Structure
    parents: dict[str, tuple[str, ...]]
    layers: dict[str, tuple[str, ...]]
    arguments: dict[str, bool]

    def ancestors(self, names: Iterable[str]) -> set[str]:
        """Returns everything that the named sites depend on, directly or not, without themselves.

        Args:
            names: Sites.
        """
        ancestors: set[str] = set()
        pending = list(names)
        while pending:
            for parent in self.parents.get(pending.pop(), ()):
                if parent not in ancestors:
                    ancestors.add(parent)
                    pending.append(parent)
        return ancestors - set(names)


def latent_parents(dependencies: Dependencies, latents: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Returns the latents that each latent depends on directly, or through values that follow from others.

    Args:
        dependencies: Those of the generative network.
        latents: The latents, in order.
    """
    order = list(latents)
    parents_of = {}
    for name in order:
        parents: set[str] = set()
        pending = [name]
        while pending:
            for parent in dependencies.parents.get(pending.pop(), ()):
                site = dependencies.structure.sites.get(parent)
                if parent in order:
                    parents.add(parent)
                elif site is not None and site.is_deterministic:
                    pending.append(parent)
        parents_of[name] = in_order(parents - {name}, order)
    return parents_of


def in_order(names: Iterable[str], order: Iterable[str]) -> tuple[str, ...]:
    """Returns names in the order in which they stand in another listing, each once."""
    names = set(names)
    return tuple(dict.fromkeys(name for name in order if name in names))
