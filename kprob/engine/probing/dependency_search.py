"""Which sites of a network depend directly on which: found from the computation, so nothing that it does is missed.

A first run gives every site a value. Then the network runs again and again with all sites held at those values but one,
which gets another: NaN, draws of its own distribution, the far ends of them. A site whose distribution has other
parameters now depends on that one, and does so directly, since everything in between was held. The same is done with
the network's arguments and with the weights of layers. So it makes no difference whether the dependence goes through a
neural network, an index or a Python `if`.

Weights don't change: the runs happen in a scope in which Keras drops updates.
"""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import keras

from kprob.backend import is_tensor, random
from kprob.data.batch import Data, batch_of, data_of
from kprob.effects import Handler, Site
from kprob.engine.networks import Networks
from kprob.engine.probing.dependencies import Dependencies, in_order
from kprob.engine.probing.first_rows import on_first_rows, with_site_values
from kprob.engine.probing.perturbations import perturbed_arrays, perturbed_values
from kprob.engine.probing.site_computations import SiteComputation, computation_of, differs, has_nan, is_finite
from kprob.engine.probing.structure import Structure, site_info
from kprob.guides import Guide
from kprob.numerics import to_numpy
from kprob.types import Seed

_TRIES = 5
_MAX_BRANCHES = 8

Network: TypeAlias = Callable[[dict, Seed], object]
Layers: TypeAlias = Mapping[str, keras.layers.Layer]
Weights: TypeAlias = Sequence[tuple[keras.Variable, Any]]


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
    search = _DependencySearch(networks.run_generative, data, networks.generative_arguments, layers)
    generative = search.run()
    guide = networks.inference if isinstance(networks.inference, Guide) else None
    if not inference or networks.inference is None or (guide is not None and not guide.built):
        return generative, None
    # A guide may run the generative network inside, for supports that depend on it.
    arguments = networks.inference_arguments if guide is None else networks.generative_arguments
    if guide is None:
        data = with_site_values(search.data, arguments, search.branches[0].sites)
    return generative, _DependencySearch(networks.run_inference, data, arguments, layers).run()


@dataclass
class _ProbeRun:
    # What one run computed, and whether it came to its end.
    batch: dict
    sites: dict[str, Site] = field(default_factory=dict)
    computed: dict[str, SiteComputation] = field(default_factory=dict)
    finished: bool = False

    def values(self) -> dict[str, Any]:
        return {name: site.value for name, site in self.sites.items() if not site.is_factor}

    def is_finite(self) -> bool:
        return all(is_finite(computation) for computation in self.computed.values())


class _HoldSites(Handler):
    # Gives sites the values that `held` has, whoever else gave them one, and records what was computed.
    def __init__(self, run: _ProbeRun, held: Mapping[str, Any]):
        super().__init__()
        self.run, self.held = run, held
        self.own_values: dict[str, Any] = {}

    def on_site(self, site: Site) -> None:
        if site.is_declared:
            self.own_values[site.name] = None if site.is_param else site.value
            if site.name in self.held:
                site.value = self.held[site.name]

    def after_site(self, site: Site) -> None:
        if site.is_declared:
            self.run.sites[site.name] = site
            self.run.computed[site.name] = computation_of(site, self.own_values[site.name])


@dataclass
class _Perturbation:
    # How a run differs from the first one.
    values: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    weights: Weights = ()


class _DependencySearch:
    # The runs of one network, and what they showed.
    def __init__(self, network: Network, data: Data, arguments: Iterable[str], layers: Layers):
        self.network, self.layers = network, layers
        # The data may have been cut to few rows.
        first, self.data = on_first_rows(lambda few: _finite_run(network, few), data)
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
            {name: in_order(self.parents.get(name, ()), order) for name in self.sites},
            {name: in_order(self.acting.get(name, ()), self.layers) for name in self.sites},
            self.arguments,
        )

    def explore(self, branch: _ProbeRun) -> None:
        """Perturbs every argument, every site and every layer of a branch of the network."""
        held = branch.values()
        control = _probe(self.network, branch.batch, held)
        # Noise that is no site, such as dropout's, changes a site at every run: there only a NaN says something.
        noisy = {name for name in branch.computed if _differs(branch, control, name)}
        names = list(branch.sites)
        for name in self.arguments:
            value = to_numpy(data_of(branch.batch)[name])
            changes = (_Perturbation(data={name: other}) for other in perturbed_arrays(value))
            self.find_children(branch, name, self.parents, names, changes, noisy)
        for name, value in held.items():
            others = perturbed_values(branch.sites[name])
            changes = (_Perturbation(values={name: _like(value, other)}) for other in others)
            later = names[names.index(name) + 1 :]
            self.find_children(branch, name, self.parents, later, changes, noisy)
        for name, layer in self.layers.items():
            self.find_children(branch, name, self.acting, names, _weight_changes(layer), noisy)

    def find_children(
        self,
        branch: _ProbeRun,
        source: str,
        into: dict[str, set[str]],
        candidates: list[str],
        changes: Iterable[_Perturbation],
        noisy: set[str],
    ) -> None:
        """Runs the network with one source changed, until every candidate has shown that it depends on it."""
        waiting = {name for name in candidates if name != source or into is self.acting}
        for change in changes:
            if not waiting:
                return
            batch = _with_data(branch.batch, change.data)
            again = _probe(self.network, batch, {**branch.values(), **change.values}, change.weights)
            children = {name for name in waiting if _depends(branch, again, name, name in noisy)}
            new = {name for name in again.sites if name not in branch.sites} if again.finished else set()
            for child in children | new:
                into.setdefault(child, set()).add(source)
            waiting -= children
            self.keep_branch(again, new)

    def keep_branch(self, again: _ProbeRun, new: set[str]) -> None:
        """Keeps a run that met sites which no branch has, to be explored in its turn."""
        unexplored = new.difference(*(branch.sites for branch in self.branches))
        if unexplored and again.is_finite() and len(self.branches) < _MAX_BRANCHES:
            self.branches.append(again)
        for name in new:
            self.sites.setdefault(name, again.sites[name])


def _finite_run(network: Network, data: Data) -> _ProbeRun:
    # Draws of a prior with heavy tails may overflow further down, where nothing shows any more: then others are taken.
    for seed in range(_TRIES):
        run = _ProbeRun(batch_of(data))
        with _HoldSites(run, {}):
            network(run.batch, random.seed(seed))
        if run.is_finite():
            break
    run.finished = True
    return run


def _probe(network: Network, batch: dict, held: Mapping[str, Any], weights: Weights = ()) -> _ProbeRun:
    run = _ProbeRun(batch)
    try:
        with keras.StatelessScope(state_mapping=weights), _HoldSites(run, held):
            network(batch, random.seed(0))
        run.finished = True
    except Exception:  # noqa: BLE001  (a network may refuse a NaN; what it computed before that counts)
        pass
    return run


def _differs(branch: _ProbeRun, again: _ProbeRun, name: str) -> bool:
    if name not in again.computed:
        return again.finished
    return differs(branch.computed[name], again.computed[name])


def _depends(branch: _ProbeRun, again: _ProbeRun, name: str, noisy: bool) -> bool:
    if noisy and name in again.computed:
        return has_nan(again.computed[name]) and not has_nan(branch.computed[name])
    return _differs(branch, again, name)


def _with_data(batch: dict, data: Mapping[str, Any]) -> dict:
    changed = dict(batch)
    for part in ("rows", "whole"):
        changed[part] = {n: _like(value, data[n]) if n in data else value for n, value in batch[part].items()}
    return changed


def _weight_changes(layer: keras.layers.Layer) -> Iterable[_Perturbation]:
    values = [(variable, to_numpy(variable)) for variable in layer.weights]
    floats = [(variable, value) for variable, value in values if value.dtype.kind in "fV"]
    for number in (float("nan"), 1.0):
        yield _Perturbation(weights=[(variable, value + number) for variable, value in floats])


def _like(value: Any, other: Any) -> Any:
    # In the form that the network's own value has: a tensor, or a number of Python's.
    if is_tensor(value):
        return keras.ops.convert_to_tensor(other, dtype=value.dtype)
    return other.item() if isinstance(value, bool | int | float) else other
