"""Which plates of a model's networks have places that look at each other."""

import functools
from collections.abc import Mapping

import keras
import numpy as np

from kprob import distributions
from kprob.backend import random
from kprob.data import Data, batch_of
from kprob.effects import Site, Trace
from kprob.engine.networks import Networks
from kprob.engine.probing.coupling import axis_of, looks_across, plates_of
from kprob.engine.probing.first_rows import on_first_rows
from kprob.engine.probing.varied_values import VariedValues
from kprob.engine.spec import Coupling
from kprob.numerics import to_numpy

MANY_ROWS = 1000
_LATENT, _DATA = "latent ", "data "


def find_coupling(networks: Networks, data: Data, inference: Trace) -> Coupling:
    """Finds plates whose places look at each other, where anything counts on that they don't.

    Args:
        networks: The networks, with all variables, and their folding.
        data: The data that they are built from.
        inference: Trace of q.
    """
    latents = [site for site in inference.random_sites() if not site.intervened]
    plates, across = [], None
    for plate, sites in plates_of(latents).items():
        is_data = any(p.is_data for site in sites for p in site.plates if p.name == plate)
        if is_data and networks.folding is not None:
            # Where draws can share a run, no row looks at another.
            if networks.folding.of_both:
                continue
            across = _find(networks, data, plate, with_data=True)
            if across is None:
                continue
        elif all(distributions.is_reparameterized(site.distribution) for site in sites) and not (
            is_data and networks.guide is not None and networks.guide.needs_independent_rows
        ):
            continue
        if _find(networks, data, plate, with_data=False) is not None:
            plates.append(plate)
    return Coupling(frozenset(plates), across)


def _find(networks: Networks, data: Data, plate: str, with_data: bool) -> str | None:
    # On the first rows, and where these don't see each other on many: rows may meet by groups.
    dependent = functools.partial(_dependent, networks, data if with_data else None, plate)
    found, few = on_first_rows(dependent, data)
    if found is not None or few.num_rows == data.num_rows:
        return found
    return dependent(data.take(slice(0, MANY_ROWS)))


def _dependent(networks: Networks, all_data: Data | None, plate: str, data: Data) -> str | None:
    try:
        return _Change(networks, data, all_data, plate, of_prior=True).site()
    except Exception:  # noqa: BLE001  (a network may fail where q never goes)
        return _Change(networks, data, all_data, plate, of_prior=False).site()


class _Change:
    # Runs of both networks in which some places of a plate have other values, and other data where asked.
    def __init__(self, networks: Networks, data: Data, all_data: Data | None, plate: str, of_prior: bool):
        self.networks, self.data, self.plate = networks, data, plate
        with keras.StatelessScope():
            # Others are of the prior, which is seldom as narrow as q.
            q = networks.run_inference(batch_of(data), random.seed(1))
            if of_prior:
                other = networks.run_generative(batch_of(data), random.seed(3), extra=VariedValues(q.values()))
            else:
                other = networks.run_inference(batch_of(data), random.seed(3))
        latents = [site for site in q.random_sites() if not site.intervened]
        self.axes = {
            _LATENT + s.name: axis for s in latents if s.name in other and (axis := axis_of(s, plate)) is not None
        }
        self.values = {_LATENT + site.name: to_numpy(site.value) for site in latents}
        self.others = {_LATENT + site.name: to_numpy(other[site.name].value) for site in latents if site.name in other}
        if all_data is not None and data.num_rows is not None:
            rows, number = self.data.rows, data.num_rows
            enough = (all_data.num_rows or 0) >= 2 * number
            rest = all_data.take(slice(number, 2 * number)).rows if enough else {n: v[::-1] for n, v in rows.items()}
            self.values |= {_DATA + name: value for name, value in rows.items()}
            self.others |= {_DATA + name: value for name, value in rest.items()}
            self.axes |= {_DATA + name: 0 for name in rows}

    def site(self) -> str | None:
        """Returns the first site whose density at one place depends on another place, or None."""
        return looks_across(self._run, self.plate, self.values, self.others, self.axes, outside=True)

    def _run(self, values: Mapping[str, np.ndarray]) -> dict[str, Site]:
        latents = {n.removeprefix(_LATENT): v for n, v in values.items() if n.startswith(_LATENT)}
        rows = {n.removeprefix(_DATA): v for n, v in values.items() if n.startswith(_DATA)}
        batch = batch_of(Data({**self.data.rows, **rows}, self.data.whole, self.data.num_rows))
        given = {name: keras.ops.convert_to_tensor(value) for name, value in latents.items()}
        with keras.StatelessScope():
            q = self.networks.run_inference(batch, random.seed(1), given=given)
            p = self.networks.run_generative(batch, random.seed(2), latents=q)
        return {f"{s.name} ({part})": s for part, t in (("inference", q), ("generative", p)) for s in t.weighed_sites()}
