"""The form in which a model's generative network runs: `compile(..., reparam=...)`."""

from collections.abc import Iterable, Mapping
from typing import Any

from kprob.backend import random
from kprob.data import Data, batch_of
from kprob.effects import LocScale
from kprob.engine.inputs import Inputs
from kprob.engine.networks import Networks, Reparameterization
from kprob.engine.probing.dependency_search import find_dependencies
from kprob.engine.probing.structure import Structure
from kprob.errors import CompileError, SiteError, did_you_mean, explain, names

AUTO = "auto"


def check_reparam(reparam: Any) -> dict[str, Reparameterization] | str:
    """Returns what `compile` received as a dict, or "auto".

    Raises:
        CompileError: It is neither.
    """
    if reparam is None:
        return {}
    if reparam == AUTO:
        return AUTO
    valid = isinstance(reparam, Mapping) and all(isinstance(value, Reparameterization) for value in reparam.values())
    if not valid:
        raise CompileError(
            explain(
                "`reparam` says for each site in which form it is to be written.",
                received=repr(reparam),
                expected='a dict of kprob.LocScale(...) or kprob.Transform() by site, or "auto"',
                fix='write reparam={"theta": kprob.LocScale(centered=0.0)}',
            )
        )
    return dict(reparam)


def set_reparam(networks: Networks, reparam: Any) -> None:
    """Sets the form in which a model's generative network runs.

    Raises:
        CompileError: It is no such setting, or the model has been built in another form.
    """
    wanted = check_reparam(reparam)
    if networks.built and wanted not in (AUTO, networks.reparam):
        raise CompileError(
            explain(
                f"{networks.model_name} has been built with other latents.",
                received=f"reparam={reparam!r}",
                expected=f"reparam={networks.reparam!r}, as it was fitted",
                fix="make the model anew and compile it so before the first fit",
            )
        )
    if not networks.built:
        networks.reparam_is_open = wanted == AUTO
        networks.reparam = {} if isinstance(wanted, str) else wanted
        networks.structure = None


def choose(networks: Networks, named: Mapping) -> dict[str, Reparameterization]:
    """Chooses the sites that are worth rewriting: those with a location and a scale that depend on other latents.

    Their centring is learned. Which sites depend on which is found from the computation.

    Args:
        networks: The model's networks, whose structure is known as it was written.
        named: Data by name.
    """
    arguments = networks.generative_arguments, networks.inference_arguments
    structure = networks.structure or Structure({})
    data = Inputs(*arguments, structure, networks.model_name).data(dict(named))
    dependencies, _ = find_dependencies(networks, data, inference=False)
    sites, given = dependencies.structure.sites, {*data.rows, *data.whole}
    latents = [name for name, site in sites.items() if site.is_random and name not in given]
    chosen: dict[str, Reparameterization] = {}
    for name in latents:
        depends = any(parent in latents for parent in dependencies.ancestors([name]))
        if depends and not sites[name].discrete and _has_loc_scale(networks, name, data):
            chosen[name] = LocScale(centered=None)
    return chosen


def check_sites(reparam: Mapping, structure: Structure, model_name: str) -> None:
    """Raises where a site to be rewritten doesn't exist."""
    for name in reparam:
        if name not in structure.sites:
            raise SiteError(
                explain(
                    f"`reparam` names a site that {model_name} doesn't have: `{name}`.{did_you_mean(name, structure.sites)}",
                    received=repr(name),
                    expected=names(structure.random_sites()),
                    fix="correct the name",
                )
            )


def shown_names(reparam: Mapping, latents: Iterable[str]) -> list[str]:
    """Returns the names by which a user knows latents: those of the sites that were rewritten.

    Args:
        reparam: `LocScale` or `Transform` by site.
        latents: Names of latents as they run.
    """
    written = {how.latent_name(name): name for name, how in reparam.items()}
    return list(dict.fromkeys(written.get(name, name) for name in latents))


def _has_loc_scale(networks: Networks, name: str, data: Data) -> bool:
    rewritten = networks.rewritten({name: LocScale(centered=0.0)})
    try:
        rewritten.run_generative(batch_of(data), random.seed(0))
    except SiteError:  # a family without location and scale
        return False
    return True
