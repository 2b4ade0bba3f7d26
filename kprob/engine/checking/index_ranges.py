"""Whether indices that come with the data are in range: where a compiled program would clamp one, the answer would be wrong.

All rows of the data are looked at: the networks are recorded, and of what they compute only the indices run. Discrete latents
have the last of their values. What isn't seen: look-ups inside of a loop, such as a `scan` that is drawn, and indices that follow
from other latents.
"""

from collections.abc import Callable, Mapping

import keras
import numpy as np

from kprob import distributions
from kprob.backend import look_ups, random
from kprob.data import Data, batch_of
from kprob.data.batch import data_of
from kprob.effects import AnyPast, Handler, Site
from kprob.engine.networks import Networks
from kprob.errors import DataError, explain
from kprob.types import Tensor

SOME = 1000


class LastValues(Handler):
    """Gives discrete latents the last of their values, where they are finitely many."""

    def on_sample(self, site: Site) -> None:
        if site.value is not None or not distributions.is_discrete(site.distribution):
            return
        support = distributions.enumerate_support(site.distribution)
        if support is None:
            return
        event = tuple(site.distribution.event_shape)
        last = keras.ops.reshape(support, (-1, *event))[-1]
        site.value = keras.ops.broadcast_to(
            keras.ops.cast(last, site.distribution.dtype), (*(plate.size for plate in site.plates), *event)
        )


def check_indices(networks: Networks, data: Data) -> None:
    """Checks that no row of the data has an index that is out of range.

    Args:
        networks: The networks; layers of the generative one have been built.
        data: The data.

    Raises:
        DataError: One has.
    """
    if networks.run_eagerly or networks.structure is None or not _may_be_indices(networks, {**data.rows, **data.whole}):
        return
    program = networks.programs.cached(
        ("look-ups", networks.built), lambda: look_ups(_runs(networks), networks.variables)
    )
    nothing = networks.programs.cached(("no look-ups", networks.built), list)
    if nothing:
        return
    try:
        found = program(batch_of(data))
    except Exception:  # noqa: BLE001  (a network that fails says so in its own words when it runs)
        return
    if not found:
        nothing.append(True)
    for look_up in found:
        if look_up.smallest < 0 or look_up.largest >= look_up.length:
            index = look_up.largest if look_up.largest >= look_up.length else look_up.smallest
            raise DataError(
                explain(
                    f"An index of {networks.model_name} is out of range, in {look_up.line}.",
                    received=f"the index {index}, where {look_up.length} values are looked up" + _origin(index, data),
                    expected=f"indices from 0 to {look_up.length - 1}",
                    fix="number what is looked up from 0 on, or make the axis longer",
                )
            )


def _runs(networks: Networks) -> Callable[[dict], list[Tensor]]:
    def run(batch: dict) -> list[Tensor]:
        given, traces = data_of(batch), []
        with AnyPast():
            if _has_all(networks.generative_arguments, given):
                traces.append(networks.run_generative(batch, random.seed(2), extra=LastValues()))
            if networks.built and networks.guide is None and networks.inference is not None:
                if _has_all(networks.inference_arguments, given):
                    traces.append(networks.run_inference(batch, random.seed(1)))
        # All that a look-up may flow into: JAX forgets what nothing comes of.
        sites = [site for trace in traces for site in trace.sites.values()]
        return [site.log_prob() if site.is_weighed else site.value for site in sites]

    return run


def _has_all(arguments: Mapping[str, bool], given: Mapping) -> bool:
    return all(name in given for name, required in arguments.items() if required)


def _may_be_indices(networks: Networks, arrays: Mapping[str, np.ndarray]) -> bool:
    # Whole numbers that a network gets to see: as an argument, or as a site after which others come.
    structure = networks.structure
    sites = [] if structure is None else [structure.sites[name] for name in structure.random_sites()][:-1]
    seen = {*networks.generative_arguments, *networks.inference_arguments, *(site.name for site in sites)}
    drawn = any(site.discrete and site.name not in arrays for site in sites)
    return drawn or any(name in seen and _is_whole(array) for name, array in arrays.items())


def _is_whole(array: np.ndarray) -> bool:
    if array.dtype.kind != "f":
        return array.dtype.kind in "iu"
    some = array.ravel()[:SOME]
    return array.ndim <= 1 and bool(np.all(some == np.rint(some)))


def _origin(index: int, data: Data) -> str:
    for name, array in {**data.rows, **data.whole}.items():
        if array.dtype.kind in "iuf" and (rows := np.argwhere(array == index)).size:
            return f"; `{name}` has it at {tuple(int(i) for i in rows[0])}"
    return ""
