"""Handlers about a run as a whole: what is recorded and seen of it, its seeds, its rows."""

from collections.abc import Callable, Iterable
from typing import Any, Self

from kprob.backend import random
from kprob.effects.site import Plate, Site
from kprob.effects.stack import Handler
from kprob.effects.trace import Trace
from kprob.types import Seed, Tensor


class trace(Handler):
    """`trace(network).get_trace()` runs the network and returns all its sites; nothing else changes.

    Args:
        network: The network to run.
        num_draws: Number of draws that the run stands for (see `Trace`).

    Example:
        ```python
        import kprob
        from kprob import tfd

        trace = kprob.handlers.trace(lambda: kprob.sample("x", tfd.Normal(0.0, 1.0))).get_trace()
        assert trace["x"].value.shape == ()
        ```
    """

    def __init__(self, network: Callable | None = None, num_draws: int | None = None):
        super().__init__(network)
        self.result = Trace(num_draws)

    def after_site(self, site: Site) -> None:
        if site.is_declared:
            self.result.add(site)

    def get_trace(self, *args: Any, **kwargs: Any) -> Trace:
        """Runs the network and returns the trace."""
        self.result = Trace(self.result.num_draws)
        self(*args, **kwargs)
        return self.result


class block(Handler):
    """`block(network, hide)` runs the network with those sites hidden from handlers further out.

    Args:
        network: The network.
        hide: Names to hide, or a function of a site; all by default.
        expose: Names that stay visible.

    Example:
        ```python
        import kprob
        from kprob import tfd

        hidden = kprob.handlers.block(lambda: kprob.sample("x", tfd.Normal(0.0, 1.0)), hide=["x"])
        assert len(kprob.handlers.trace(hidden).get_trace()) == 0
        ```
    """

    def __init__(
        self,
        network: Callable | None = None,
        hide: Iterable[str] | Callable | None = None,
        expose: Iterable[str] = (),
    ):
        super().__init__(network)
        self.hide = hide
        self.expose = tuple(expose)

    def on_site(self, site: Site) -> None:
        if site.name in self.expose:
            return
        if self.hide is None or (self.hide(site) if callable(self.hide) else site.name in self.hide):
            site.hidden = True


class seed(Handler):
    """`seed(network, number)` makes every draw of the network a function of the number and of the order of its sites.

    Args:
        network: The network.
        seed: An int, or a seed of `kprob.backend.random`.

    Example:
        ```python
        import kprob
        from kprob import tfd

        network = kprob.handlers.seed(lambda: kprob.sample("x", tfd.Normal(0.0, 1.0)), 1)
        assert float(network()) == float(network())
        ```
    """

    def __init__(self, network: Callable | None = None, seed: Seed = 0):
        super().__init__(network)
        self.seed = random.seed(seed) if isinstance(seed, int) else seed
        self.count = 0

    def __enter__(self) -> Self:
        self.count = 0
        return super().__enter__()

    def on_sample(self, site: Site) -> None:
        self._give_seed(site)

    def on_seed(self, site: Site) -> None:
        self._give_seed(site)

    def _give_seed(self, site: Site) -> None:
        if site.seed is None and site.value is None:
            site.seed = random.fold_in(self.seed, self.count)
            self.count += 1


class rows(Handler):
    """`rows(network, size)` runs the network with a data plate of that length.

    Args:
        network: The network.
        size: Rows of the batch.
        scale: Rows of the whole data set per row of the batch.
        weights: A weight per row, or None.
        indices: Which rows of the whole data set these are, or None.
        num_draws: Draws that the run stands for; `size` is that many times the rows of one.

    Example:
        ```python
        import kprob
        from kprob import tfd

        def network():
            with kprob.plate("data"):
                return kprob.sample("x", tfd.Normal(0.0, 1.0))

        assert kprob.handlers.rows(network, 5)().shape == (5,)
        ```
    """

    def __init__(
        self,
        network: Callable | None = None,
        size: Tensor = 1,
        scale: Tensor = 1.0,
        weights: Tensor = None,
        indices: Tensor = None,
        num_draws: int = 1,
    ):
        super().__init__(network)
        self.size, self.scale, self.weights, self.indices = size, scale, weights, indices
        self.num_draws = num_draws

    def on_plate(self, plate: Plate) -> None:
        if plate.is_data and plate.size is None:
            plate.size, plate.scale = self.size, self.scale
            plate.weights, plate.indices, plate.num_draws = self.weights, self.indices, self.num_draws
