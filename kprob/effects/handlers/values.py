"""Handlers that give sites their values: observed, latent, replayed or fixed from outside."""

from collections.abc import Callable, Mapping

from kprob import checks
from kprob.effects.site import Site
from kprob.effects.stack import Handler
from kprob.effects.trace import Trace
from kprob.errors import SiteError, explain


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

    def on_sample(self, site: Site) -> None:
        if site.name in self.data and site.value is None:
            site.value = checks.check_value(site, self.data[site.name], "the data")
            site.observed = True

    def on_deterministic(self, site: Site) -> None:
        if site.name in self.data:
            raise SiteError(
                explain(
                    f"Site `{site.name}` can't be observed: it follows from others.",
                    received=f"data for `{site.name}`",
                    expected="data for random variables",
                    fix="observe what it follows from; a reparameterised site keeps its distribution without `reparam`",
                )
            )


class substitute(Handler):
    """`substitute(network, values)` runs the network with those values instead of draws, still as latent sites.

    Args:
        network: The network.
        values: Values of random variables and parameters, by name.

    Example:
        ```python
        import kprob
        from kprob import tfd

        network = kprob.handlers.substitute(lambda: kprob.sample("x", tfd.Normal(0.0, 1.0)), {"x": 2.0})
        trace = kprob.handlers.trace(network).get_trace()
        assert float(trace["x"].value) == 2.0 and not trace["x"].observed
        ```
    """

    def __init__(self, network: Callable | None = None, values: Mapping | None = None):
        super().__init__(network)
        self.values = dict(values or {})

    def on_sample(self, site: Site) -> None:
        if site.name in self.values and site.value is None:
            site.value = checks.check_value(site, self.values[site.name], "substitute")

    def on_param(self, site: Site) -> None:
        if site.name in self.values and site.value is None:
            site.value = self.values[site.name]


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

    def on_sample(self, site: Site) -> None:
        if site.value is None and site.name in self.guide:
            other = self.guide[site.name]
            if other.is_random:
                checks.check_replayed(site, other)
                # The tensor itself, not a copy: TFP's bijectors find the inverse of a value that they made.
                site.value = other.value


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
        self.values = dict(values or {})

    def on_sample(self, site: Site) -> None:
        if site.name in self.values and site.value is None:
            site.value = checks.check_value(site, self.values[site.name], "do")
            site.intervened = True
