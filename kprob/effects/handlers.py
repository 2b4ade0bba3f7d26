"""The handlers: each changes what a network's run means. The first sentence of each is its law; tests hold it.

All work as a wrapper, `condition(network, {"x": 1.0})(...)`, and as a context, `with condition(data={"x": 1.0}): ...`.
They nest, are opened inside one run and never stored.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras

from kprob import checks
from kprob.backend import random
from kprob.effects.site import Plate, Site
from kprob.effects.stack import Handler
from kprob.effects.trace import Trace
from kprob.errors import SiteError, explain
from kprob.types import ArrayLike, Seed, Tensor


class trace(Handler):
    """`trace(network).get_trace()` runs the network and returns all its sites; nothing else changes.

    Args:
        network: The network to run.
        num_draws: Number of draws that the run stands for (see `Trace`).

    Example:
        ```python
        import kprob
        from kprob import tfd

        found = kprob.handlers.trace(lambda: kprob.sample("x", tfd.Normal(0.0, 1.0))).get_trace()
        assert found["x"].value.shape == ()
        ```
    """

    def __init__(self, network: Callable | None = None, num_draws: int | None = None):
        super().__init__(network)
        self.result = Trace(num_draws)

    def after_site(self, site: Site) -> None:
        if site.kind in ("sample", "deterministic", "factor", "param"):
            self.result.add(site)

    def get_trace(self, *args: Any, **kwargs: Any) -> Trace:
        """Runs the network and returns the trace."""
        self.result = Trace(self.result.num_draws)
        self(*args, **kwargs)
        return self.result


class condition(Handler):
    """`condition(network, data)` runs the network with the sites in `data` pinned and observed; others are untouched.

    Args:
        network: The network.
        data: Values by site name, each of shape `plate_shape + event_shape`.

    Example:
        ```python
        import kprob
        from kprob import tfd

        network = kprob.handlers.condition(lambda: kprob.sample("x", tfd.Normal(0.0, 1.0)), {"x": 2.0})
        assert float(network()) == 2.0
        ```
    """

    def __init__(self, network: Callable | None = None, data: Mapping | None = None):
        super().__init__(network)
        self.data = dict(data or {})

    def on_site(self, site: Site) -> None:
        if site.name in self.data and site.kind == "deterministic":
            raise SiteError(
                explain(
                    f"Site `{site.name}` can't be observed: it follows from others.",
                    received=f"data for `{site.name}`",
                    expected="data for random variables",
                    fix="observe what it follows from; a reparameterised site keeps its distribution without `reparam`",
                )
            )
        if site.kind == "sample" and site.name in self.data and site.value is None:
            site.value = checks.check_value(site, self.data[site.name], "the data")
            site.observed = True


class substitute(Handler):
    """`substitute(network, values)` runs the network with those values instead of draws, still as latent sites.

    Args:
        network: The network.
        values: Values by name, of "sample" and "param" sites.

    Example:
        ```python
        import kprob
        from kprob import tfd

        network = kprob.handlers.substitute(lambda: kprob.sample("x", tfd.Normal(0.0, 1.0)), {"x": 2.0})
        found = kprob.handlers.trace(network).get_trace()
        assert float(found["x"].value) == 2.0 and not found["x"].observed
        ```
    """

    def __init__(self, network: Callable | None = None, values: Mapping | None = None):
        super().__init__(network)
        self.given = dict(values or {})

    def on_site(self, site: Site) -> None:
        if site.name not in self.given or site.value is not None:
            return
        if site.kind == "sample":
            site.value = checks.check_value(site, self.given[site.name], "substitute")
        elif site.kind == "param":
            site.value = self.given[site.name]


class replay(Handler):
    """`replay(network, trace)` runs the network with the random values of another run; observed sites stay as they are.

    Args:
        network: The network.
        guide: The trace whose values are used, by name.

    Example:
        ```python
        import kprob
        from kprob import tfd

        def network():
            return kprob.sample("x", tfd.Normal(0.0, 1.0))

        first = kprob.handlers.trace(network).get_trace()
        assert float(kprob.handlers.replay(network, first)()) == float(first["x"].value)
        ```
    """

    def __init__(self, network: Callable | None = None, guide: Trace | None = None):
        super().__init__(network)
        self.guide = Trace() if guide is None else guide

    def on_site(self, site: Site) -> None:
        if site.kind == "sample" and site.value is None and site.name in self.guide:
            other = self.guide[site.name]
            if other.kind == "sample":
                checks.check_replayed(site, other)
                # The tensor itself, not a copy: TFP's bijectors find the inverse of a value that they made.
                site.value = other.value


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


class do(Handler):
    """`do(network, values)` runs the network with sites fixed from outside: they have no density and no parents.

    Args:
        network: The network.
        values: Values by site name.

    Example:
        ```python
        import kprob
        from kprob import tfd

        network = kprob.handlers.do(lambda: kprob.sample("x", tfd.Normal(0.0, 1.0)), {"x": 9.0})
        assert float(kprob.handlers.trace(network).get_trace().log_prob()) == 0.0
        ```
    """

    def __init__(self, network: Callable | None = None, values: Mapping | None = None):
        super().__init__(network)
        self.given = dict(values or {})

    def on_site(self, site: Site) -> None:
        if site.kind == "sample" and site.name in self.given and site.value is None:
            site.value = checks.check_value(site, self.given[site.name], "do")
            site.intervened = True


class scale(Handler):
    """`scale(network, factor)` multiplies the log-density of every site by a factor.

    Args:
        network: The network.
        factor: A positive number, or a tensor that broadcasts to the plates.

    Example:
        ```python
        import kprob
        from kprob import tfd

        network = kprob.handlers.condition(lambda: kprob.sample("x", tfd.Normal(0.0, 1.0)), {"x": 0.0})
        once = kprob.handlers.trace(network).get_trace().log_prob()
        twice = kprob.handlers.trace(kprob.handlers.scale(network, 2.0)).get_trace().log_prob()
        assert abs(float(twice) - 2 * float(once)) < 1e-6
        ```
    """

    def __init__(self, network: Callable | None = None, factor: ArrayLike = 1.0):
        super().__init__(network)
        self.factor = factor

    def on_site(self, site: Site) -> None:
        if site.kind in ("sample", "factor"):
            site.scale = site.scale * self.factor


class mask(Handler):
    """`mask(network, mask)` makes the log-density of every site zero where the mask is False.

    Args:
        network: The network.
        mask: A boolean, or a boolean tensor that broadcasts to the plates.

    Example:
        ```python
        import kprob
        from kprob import tfd

        network = kprob.handlers.mask(lambda: kprob.sample("x", tfd.Normal(0.0, 1.0)), False)
        assert float(kprob.handlers.trace(network).get_trace().log_prob()) == 0.0
        ```
    """

    def __init__(self, network: Callable | None = None, mask: ArrayLike = True):
        super().__init__(network)
        self.mask = mask

    def on_site(self, site: Site) -> None:
        if site.kind in ("sample", "factor"):
            own = keras.ops.convert_to_tensor(self.mask, dtype="bool")
            site.mask = own if site.mask is None else keras.ops.logical_and(site.mask, own)


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

    def __enter__(self) -> Handler:
        self.count = 0
        return super().__enter__()

    def on_site(self, site: Site) -> None:
        if site.seed is None and site.value is None and site.kind in ("sample", "seed"):
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
    ):
        super().__init__(network)
        self.size, self.scale, self.weights, self.indices = size, scale, weights, indices

    def on_plate(self, plate: Plate) -> None:
        if plate.is_data and plate.size is None:
            plate.size, plate.scale = self.size, self.scale
            plate.weights, plate.indices = self.weights, self.indices
