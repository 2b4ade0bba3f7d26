"""Which sites of a network depend directly on which: found from the computation, so nothing that it does is missed.

A first run gives every site a value. Then the network runs again and again with all sites held at those values but one,
which gets another: NaN, draws of its own distribution, the far ends of them. A site whose distribution has other
parameters now depends on that one, and does so directly, since everything in between was held. The same is done with
the network's arguments and with the weights of layers. So it makes no difference whether the dependence goes through a
neural network, an index or a Python `if`.

Weights don't change: the runs happen in a scope in which Keras drops updates.
"""

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import keras

from kprob.backend import is_tensor, random
from kprob.data.batch import Data, batch_of, data_of
from kprob.effects import Handler, Site
from kprob.engine.networks import Networks
from kprob.engine.probing.alternatives import other_arrays, other_values
from kprob.engine.probing.few_rows import completed, on_few_rows
from kprob.engine.probing.fingerprints import Fingerprint, differs, fingerprint, has_nan, is_finite
from kprob.engine.probing.structure import Structure, site_info
from kprob.guides import Guide
from kprob.numerics import to_numpy

_TRIES = 5
_MAX_BRANCHES = 8

Network = Callable[[dict, object], object]
Layers = Mapping[str, keras.layers.Layer]


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

    def ancestors(self, names) -> set[str]:
        """Returns everything that the named sites depend on, directly or not, without themselves.

        Args:
            names: Sites.
        """
        found: set[str] = set()
        pending = list(names)
        while pending:
            for parent in self.parents.get(pending.pop(), ()):
                if parent not in found:
                    found.add(parent)
                    pending.append(parent)
        return found - set(names)


def find_dependencies(
    networks: Networks, data: Data | None = None, layers: Layers | None = None, inference: bool = True
) -> tuple[Dependencies, Dependencies | None]:
    """Finds the direct dependencies of a model's two networks.

    Args:
        networks: The networks.
        data: Covariates, and values of sites that are observed; few rows are enough. What the inference network takes
            and the data lacks is drawn from the prior.
        layers: Layers by name, to find which sites their weights act on.
        inference: Whether to look at q too.

    Returns:
        Those of p and those of q, which is None where there is no inference network, or a guide that isn't set up.

    Raises:
        DataError: The networks need data that isn't there.
    """
    data, layers = data or Data(), layers or {}
    search = _Search(networks.run_generative, data, networks.generative_arguments, layers)
    generative = search.run()
    guide = networks.inference if isinstance(networks.inference, Guide) else None
    if not inference or networks.inference is None or (guide is not None and not guide.built):
        return generative, None
    # A guide may run the generative network inside, for supports that depend on it.
    arguments = networks.inference_arguments if guide is None else networks.generative_arguments
    if guide is None:
        data = completed(search.data, arguments, search.branches[0].sites)
    return generative, _Search(networks.run_inference, data, arguments, layers).run()


def latent_parents(dependencies: Dependencies, latents: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Returns the latents that each latent depends on directly, or through values that follow from others.

    Args:
        dependencies: Those of the generative network.
        latents: The latents, in order.
    """
    order = list(latents)
    found = {}
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
        found[name] = _in_order(parents - {name}, order)
    return found


@dataclass
class _Run:
    # What one run computed, and how far it came.
    batch: dict
    sites: dict[str, Site] = field(default_factory=dict)
    found: dict[str, Fingerprint] = field(default_factory=dict)
    finished: bool = False

    def values(self) -> dict:
        return {name: site.value for name, site in self.sites.items() if not site.is_factor}

    def is_finite(self) -> bool:
        return all(is_finite(parts) for parts in self.found.values())


class _Hold(Handler):
    # Gives sites the values that `held` has, whoever else gave them one, and records what was computed.
    def __init__(self, run: _Run, held: Mapping):
        super().__init__()
        self.run, self.held = run, held
        self.given: dict[str, object] = {}

    def on_site(self, site: Site) -> None:
        if site.is_declared:
            self.given[site.name] = None if site.is_param else site.value
            if site.name in self.held:
                site.value = self.held[site.name]

    def after_site(self, site: Site) -> None:
        if site.is_declared:
            self.run.sites[site.name] = site
            self.run.found[site.name] = fingerprint(site, self.given[site.name])


@dataclass
class _Change:
    # How a run differs from the first one.
    values: dict = field(default_factory=dict)
    data: dict = field(default_factory=dict)
    weights: list = field(default_factory=list)


class _Search:
    # The runs of one network, and what they showed.
    def __init__(self, network: Network, data: Data, arguments: Iterable[str], layers: Layers):
        self.network, self.layers = network, layers
        # The data may have been cut to few rows.
        first, self.data = on_few_rows(lambda few: _finite_run(network, few), data)
        self.branches = [first]
        self.sites, batch = dict(first.sites), first.batch
        self.arguments = {name: name in batch["rows"] for name in arguments if name in data_of(batch)}
        self.parents: dict[str, set[str]] = {}
        self.acting: dict[str, set[str]] = {}

    def run(self) -> Dependencies:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what NumPy says of NaN is no news here
            for branch in self.branches:  # grows where a run opens another branch of the network
                self.explore(branch)
        order = [*self.arguments, *self.sites]
        return Dependencies(
            Structure({name: site_info(site) for name, site in self.sites.items()}),
            {name: _in_order(self.parents.get(name, ()), order) for name in self.sites},
            {name: _in_order(self.acting.get(name, ()), self.layers) for name in self.sites},
            self.arguments,
        )

    def explore(self, branch: _Run) -> None:
        held = branch.values()
        control = _run(self.network, branch.batch, held)
        # Noise that is no site, such as dropout's, changes a site at every run: there only a NaN says something.
        noisy = {name for name in branch.found if _differs(branch, control, name)}
        names = list(branch.sites)
        for name in self.arguments:
            value = to_numpy(data_of(branch.batch)[name])
            changes = (_Change(data={name: other}) for other in other_arrays(value))
            self.try_out(branch, name, self.parents, names, changes, noisy)
        for name, value in held.items():
            others = other_values(branch.sites[name])
            changes = (_Change(values={name: _like(value, other)}) for other in others)
            later = names[names.index(name) + 1 :]
            self.try_out(branch, name, self.parents, later, changes, noisy)
        for name, layer in self.layers.items():
            self.try_out(branch, name, self.acting, names, _weight_changes(layer), noisy)

    def try_out(
        self,
        branch: _Run,
        source: str,
        into: dict[str, set[str]],
        candidates: list[str],
        changes: Iterable[_Change],
        noisy: set[str],
    ) -> None:
        """Runs the network with one source changed, until every candidate has shown that it depends on it."""
        waiting = {name for name in candidates if name != source or into is self.acting}
        for change in changes:
            if not waiting:
                return
            batch = _with_data(branch.batch, change.data)
            again = _run(self.network, batch, {**branch.values(), **change.values}, change.weights)
            found = {name for name in waiting if _depends(branch, again, name, name in noisy)}
            new = {name for name in again.sites if name not in branch.sites} if again.finished else set()
            for child in found | new:
                into.setdefault(child, set()).add(source)
            waiting -= found
            self.keep_branch(again, new)

    def keep_branch(self, again: _Run, new: set[str]) -> None:
        unexplored = new.difference(*(branch.sites for branch in self.branches))
        if unexplored and again.is_finite() and len(self.branches) < _MAX_BRANCHES:
            self.branches.append(again)
        for name in new:
            self.sites.setdefault(name, again.sites[name])


def _finite_run(network: Network, data: Data) -> _Run:
    # Draws of a prior with heavy tails may overflow further down, where nothing shows any more: then others are taken.
    for seed in range(_TRIES):
        run = _Run(batch_of(data))
        with _Hold(run, {}):
            network(run.batch, random.seed(seed))
        if run.is_finite():
            break
    run.finished = True
    return run


def _run(network: Network, batch: dict, held: Mapping, weights=()) -> _Run:
    run = _Run(batch)
    try:
        with keras.StatelessScope(state_mapping=weights), _Hold(run, held):
            network(batch, random.seed(0))
        run.finished = True
    except Exception:  # noqa: BLE001  (a network may refuse a NaN; what it computed before that counts)
        pass
    return run


def _differs(branch: _Run, again: _Run, name: str) -> bool:
    if name not in again.found:
        return again.finished
    return differs(branch.found[name], again.found[name])


def _depends(branch: _Run, again: _Run, name: str, noisy: bool) -> bool:
    if noisy and name in again.found:
        return has_nan(again.found[name]) and not has_nan(branch.found[name])
    return _differs(branch, again, name)


def _with_data(batch: dict, data: Mapping) -> dict:
    changed = dict(batch)
    for kind in ("rows", "whole"):
        changed[kind] = {n: _like(value, data[n]) if n in data else value for n, value in batch[kind].items()}
    return changed


def _weight_changes(layer: keras.layers.Layer) -> Iterable[_Change]:
    values = [(variable, to_numpy(variable)) for variable in layer.weights]
    floats = [(variable, value) for variable, value in values if value.dtype.kind in "fV"]
    for number in (float("nan"), 1.0):
        yield _Change(weights=[(variable, value + number) for variable, value in floats])


def _like(value, other):
    # In the form that the network's own value has: a tensor, or a number of Python's.
    if is_tensor(value):
        return keras.ops.convert_to_tensor(other, dtype=value.dtype)
    return other.item() if isinstance(value, bool | int | float) else other


def _in_order(names: Iterable[str], order: Iterable[str]) -> tuple[str, ...]:
    names = set(names)
    return tuple(dict.fromkeys(name for name in order if name in names))
