"""A guide: an inference network made from the generative network's own latent sites."""

import contextlib
from collections.abc import Callable

import keras

from kprob import checks, distributions, effects
from kprob.backend import is_tensor, tfd
from kprob.errors import DataError, MismatchError, explain


class Guide(keras.layers.Layer):
    """Base class of guides.

    To subclass, override `create(site, start)`, which makes the variables of one latent, and `posterior(name, rows)`,
    which returns its distribution in unconstrained space.

    A latent inside the data plate has its own parameters for each row of the data set, looked up by row; so such a
    guide answers queries only about the data set that it was fitted to.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.autocast = False
        # Plain records, not state: kept out of Keras's tracking.
        self.__dict__["latents"] = {}
        self.__dict__["bijectors"] = {}
        self.num_data: int | None = None

    def setup(self, sites: list[effects.Site], num_data: int | None) -> None:
        """Makes the variables.

        Args:
            sites: Latent sites of one run of the generative network, with starting values.
            num_data: Rows of the data set; needed where a latent is inside the data plate.
        """
        self.num_data = num_data
        for site in sites:
            self._require_continuous(site)
            bijector = distributions.support_bijector(site.distribution)
            start = keras.ops.convert_to_tensor(bijector.inverse(site.value))
            if site.in_data_plate:
                start = keras.ops.repeat(keras.ops.mean(start, axis=0, keepdims=True), num_data, axis=0)
            plates = [(p.name, None if p.is_data else p.size) for p in site.plates]
            self.latents[site.name] = {"plates": plates, "event_ndims": len(start.shape) - len(plates)}
            # A support that depends on other sites has a bijector of its own at each run.
            self.bijectors[site.name] = None if _has_tensors(bijector) else bijector
            self.create(site, start)
        self.built = True

    @property
    def independent(self) -> bool:
        """Whether no latent's distribution depends on the draw of another."""
        return False

    @property
    def has_rows(self) -> bool:
        """Whether any latent has parameters of its own for each row of the data set."""
        return any(size is None for latent in self.latents.values() for _, size in latent["plates"])

    def run(self, network: Callable) -> None:
        """Runs the guide as an inference network; `network` runs the generative one, for supports that depend on it."""
        if any(bijector is None for bijector in self.bijectors.values()):
            with _Inside(self):
                network()
            return
        for name, latent in self.latents.items():
            with contextlib.ExitStack() as stack:
                for plate, size in latent["plates"]:
                    stack.enter_context(effects.plate(plate, size))
                self.draw(name, self.bijectors[name])

    def draw(self, name: str, bijector):
        """Draws one latent in the plates that are open now."""
        latent = self.latents[name]
        opened = effects.STATE.plates
        base = self.posterior(name, _row_picker(name, opened[0] if opened else None, self.num_data))
        base = tfd.Independent(base, latent["event_ndims"]) if latent["event_ndims"] else base
        return effects.sample(name, constrain(base, bijector))

    def create(self, site: effects.Site, start) -> None:
        """Makes the variables of one latent, which start at the unconstrained value `start`."""
        raise NotImplementedError

    def posterior(self, name: str, rows: Callable):
        """Returns a latent's distribution over unconstrained values; `rows(variable)` picks the rows of the batch."""
        raise NotImplementedError

    def _require_continuous(self, site: effects.Site) -> None:
        if distributions.is_discrete(site.distribution):
            raise MismatchError(
                explain(
                    f"The automatic guide {type(self).__name__} can't stand for the discrete latent `{site.name}`.",
                    received=f"a {type(site.distribution).__name__} in plates {checks.plates_text(site.plates)}",
                    expected="continuous latents, and discrete ones that have finitely many values, known before running: "
                    "these are summed out",
                    fix=f"write `inference` with a discrete site `{site.name}`, or observe it in the data",
                )
            )


class _Inside(effects.Handler):
    # Runs the guide inside the generative network: each latent is drawn by the guide on the support that its own
    # distribution has in this run, and the generative network's own sites stay hidden.
    def __init__(self, guide: Guide):
        super().__init__()
        self.guide, self.drawing = guide, False

    def on_site(self, site: effects.Site) -> None:
        if self.drawing or site.kind != "sample":
            return
        if site.value is None and site.name in self.guide.latents:
            self.drawing = True
            try:
                site.value = self.guide.draw(site.name, distributions.support_bijector(site.distribution))
            finally:
                self.drawing = False
        site.hidden = True


def constrain(base, bijector):
    """Returns the distribution of a bijector's values; a plain one where the bijector changes nothing."""
    return base if "Identity" in type(bijector).__name__ else tfd.TransformedDistribution(base, bijector)


def _row_picker(name: str, plate: effects.Plate | None, num_data: int | None) -> Callable:
    def rows(variable):
        variable = keras.ops.convert_to_tensor(variable)
        if plate is None or not plate.is_data:
            return variable
        if plate.indices is not None:
            return keras.ops.take(variable, plate.indices, axis=0)
        size = checks.known_size(plate.size)
        if size is not None and size != num_data:
            raise DataError(
                explain(
                    f"Latent `{name}` has parameters of its own for each row of the data that the model was fitted to.",
                    received=f"{size} rows",
                    expected=f"the {num_data} rows of the fit",
                    fix="write `inference` with an encoder network, which gives a posterior for any row",
                )
            )
        return variable

    return rows


def _has_tensors(bijector) -> bool:
    if any(is_tensor(value) for value in bijector.parameters.values()):
        return True
    parts = getattr(bijector, "bijectors", None)
    parts = parts if isinstance(parts, list | tuple) else [getattr(bijector, "bijector", None)]
    return any(_has_tensors(part) for part in parts if hasattr(part, "parameters"))
