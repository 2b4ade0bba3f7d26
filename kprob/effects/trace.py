"""What a run of a network leaves behind: its sites in order, and their log-densities summed by the rules of plates."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import keras

from kprob import checks
from kprob.effects.site import Plate, Site
from kprob.errors import MismatchError, SiteError, did_you_mean, explain, names
from kprob.types import Tensor


class Trace:
    """The sites of one run, by name, in the order in which the network met them.

    A run may stand for S draws at once: where every latent has a value per row, the engine repeats the rows S times
    (`num_draws` is S then, and the data plate is S times the batch long). `log_prob` puts the draws apart again.

    The traces that an objective sees have variants, the same run under other conditions: `frozen`, `detached`, `damped`,
    `simulated`, `on`. And `data` holds the data of the run, by name; `coupled` the names of plates in which one place looks
    at another, so that they are no axes of independence.

    Args:
        num_draws: Draws that the run stands for, or None for one.

    Example:
        ```python
        import kprob
        from kprob import tfd

        def network():
            kprob.sample("x", tfd.Normal(0.0, 1.0))

        trace = kprob.handlers.trace(network).get_trace()
        assert list(trace) == ["x"] and trace.log_prob().shape == ()
        ```
    """

    def __init__(self, num_draws: int | None = None):
        self.sites: dict[str, Site] = {}
        self.plates: dict[str, Plate] = {}
        self.num_draws = num_draws
        self.data: Mapping[str, Tensor] = {}
        self.coupled: frozenset[str] = frozenset()
        self._makers: dict[str, Callable[..., Trace]] = {}
        self._variants: dict[str, Trace] = {}

    def __getitem__(self, name: str) -> Site:
        if name not in self.sites:
            raise SiteError(
                explain(
                    f"The trace has no site `{name}`.{did_you_mean(name, self.sites)}",
                    received=repr(name),
                    expected=f"one of {names(self.sites)}",
                    fix="use the name of a site that the network declares",
                )
            )
        return self.sites[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.sites)

    def __contains__(self, name: str) -> bool:
        return name in self.sites

    def __len__(self) -> int:
        return len(self.sites)

    def add(self, site: Site) -> None:
        """Adds a site.

        Raises:
            SiteError: The name is taken.
        """
        if site.name in self.sites:
            raise SiteError(
                explain(
                    f"Site `{site.name}` is declared twice in one run of the network.",
                    received=f"`{site.name}` again, after {names(self.sites)}",
                    expected="a name that no other site of the network has",
                    fix="rename one of the two; a layer is named by `name=` or by its attribute, and stands for one "
                    "random variable, so it's called once in a run",
                )
            )
        self._check_plates(site)
        self.sites[site.name] = site

    def _check_plates(self, site: Site) -> None:
        for plate in site.plates:
            other = self.plates.setdefault(plate.name, plate)
            sizes = checks.known_size(plate.size), checks.known_size(other.size)
            if plate.is_data != other.is_data or (None not in sizes and sizes[0] != sizes[1]):
                raise SiteError(
                    explain(
                        f"Plate `{plate.name}` has another length at site `{site.name}` than before.",
                        received=f"{_length(plate)}, after {_length(other)}",
                        expected="one length for each name: a plate's name says which axis it is",
                        fix="give the second plate a name of its own, or both the same length",
                    )
                )

    def random_sites(self, observed: bool | None = None) -> list[Site]:
        """Returns the sites that are random variables.

        Args:
            observed: True for those whose value the data gives, False for latents: neither has what `do` fixes.
        """
        if observed is None:
            return [site for site in self.sites.values() if site.is_random]
        return [s for s in self.sites.values() if s.is_random and (s.observed if observed else s.is_latent)]

    def values(self) -> dict:
        """Returns the values of all random and deterministic sites by name."""
        return {s.name: s.value for s in self.sites.values() if s.is_variable}

    @property
    def data_plate(self) -> Plate | None:
        """The data plate, or None where no site is in it."""
        for site in self.sites.values():
            for plate in site.plates:
                if plate.is_data:
                    return plate
        return None

    def weighed_sites(self) -> list[Site]:
        """Returns the sites that have a log-density: random ones and factors."""
        return [s for s in self.sites.values() if s.is_weighed and not s.intervened]

    def log_prob(self, sites: Iterable[str] | None = None) -> Tensor:
        """Returns the log-density of the run.

        Rows of the data plate are weighted and scaled up to the whole data set; every other term counts once.

        Args:
            sites: Names of the sites to sum; all by default.

        Returns:
            A scalar, or one number per draw, shape (S,), where the run stands for S draws.
        """
        total = keras.ops.zeros(() if self.num_draws is None else (self.num_draws,))
        for site in self.weighed_sites():
            if sites is None or site.name in sites:
                total = total + self.site_log_prob(site)
        return total

    def site_log_prob(self, site: Site) -> Tensor:
        """Returns one site's share of `log_prob`."""
        if not site.in_data_plate:
            return keras.ops.sum(site.log_prob())
        plate = site.plates[0]
        return keras.ops.sum(self.rows(site), axis=-1) * plate.scale

    def rows(self, site: Site, weighted: bool = True) -> Tensor:
        """Returns a site's log-density per row of the batch: shape (B,) or (S, B).

        Args:
            site: A site inside the data plate.
            weighted: Whether rows count by their sample weights.
        """
        rows = site.log_prob()
        if len(rows.shape) > 1:
            rows = keras.ops.sum(rows, axis=tuple(range(1, len(rows.shape))))
        plate = site.plates[0]
        if weighted and plate.weights is not None:
            rows = rows * keras.ops.cast(plate.weights, rows.dtype)
        return rows if self.num_draws is None else keras.ops.reshape(rows, (self.num_draws, -1))

    def log_prob_rows(self, sites: Iterable[str] | None = None, weighted: bool = True) -> Tensor:
        """Returns the log-density per row of the batch, for objectives that work row by row.

        Args:
            sites: Names of the sites to sum; all by default.
            weighted: Whether rows count by their sample weights.

        Returns:
            Shape (B,), or (S, B) where the run stands for S draws. Not scaled up to the whole data set.

        Raises:
            MismatchError: A latent site is outside the data plate, so that rows aren't independent.
        """
        total = 0.0
        for site in self.weighed_sites():
            if sites is not None and site.name not in sites:
                continue
            if not site.in_data_plate:
                raise MismatchError(
                    explain(
                        f"Site `{site.name}` is outside the data plate, so the log-density has no rows.",
                        received=f"`{site.name}` in {checks.plates_text(site.plates)}",
                        expected='every site inside kprob.plate("data")',
                        fix="use `log_prob()`, which sums over everything",
                    )
                )
            total = total + self.rows(site, weighted)
        return total

    def frozen(self) -> "Trace":
        """Returns the same run with all parameters held: gradients flow through the values of its latents alone.

        The sites have the same values and densities. It costs nothing in a compiled program, which computes what two
        runs share once.

        Raises:
            SiteError: The trace isn't one that the engine made for an objective.
        """
        return self._variant("frozen")

    def detached(self) -> "Trace":
        """Returns the same run with the values of its latents held: gradients flow through parameters alone.

        Raises:
            SiteError: The trace isn't one that the engine made for an objective.
        """
        return self._variant("detached")

    def damped(self, factors: Tensor) -> "Trace":
        """Returns the same run, in which gradients that reach the latents' draws are multiplied by factors.

        The inference network's parameters are held too, as in `frozen`; the generative network's aren't.

        Args:
            factors: One for each draw and row, shape (S, B).

        Raises:
            SiteError: The trace isn't one that the engine made for an objective, of several draws.
        """
        return self._maker("damped")(factors)

    def simulated(self) -> "Trace":
        """Returns a run of the generative network on the same covariates in which data and latents are drawn.

        Raises:
            SiteError: The trace isn't one of a generative network that the engine made for an objective.
        """
        return self._variant("simulated")

    def on(self, simulation: "Trace") -> "Trace":
        """Returns the run of the inference network on simulated data with the latents that the data came from.

        Args:
            simulation: What the generative trace's `simulated` returned. No gradient flows into it.

        Raises:
            SiteError: The trace isn't one of an inference network that the engine made for an objective.
        """
        return self._maker("on")(simulation)

    def set_variants(self, **makers: Callable[..., "Trace"]) -> None:
        """Adds functions of the engine that run the network under other conditions, by the method that asks for it."""
        self._makers |= makers

    def _variant(self, name: str) -> "Trace":
        if name not in self._variants:
            self._variants[name] = self._maker(name)()
        return self._variants[name]

    def _maker(self, name: str) -> Callable[..., "Trace"]:
        if name not in self._makers:
            raise SiteError(
                explain(
                    f"This trace can't be run again, as `{name}` asks.",
                    received=f"a trace that offers {names(self._makers)}",
                    expected="the trace of the other network, or any that the engine hands to an objective",
                    fix="call it in an objective: `frozen` and `detached` on both traces, `simulated` on the generative "
                    "one, `on` on the inference one",
                )
            )
        return self._makers[name]


def _length(plate: Plate) -> str:
    return "as many as the data" if plate.is_data else str(plate.size)
