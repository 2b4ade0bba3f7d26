"""Data for a site whose value the network itself gives: what the user passed would be ignored without a word."""

from collections.abc import Collection

from kprob.effects import Handler, Site
from kprob.errors import DataError, explain


class RefuseSecondValues(Handler):
    """Raises where there is data for a site that has a value already.

    Args:
        data: Names that the data gives.
        arguments: Arguments of the network: data of such a name may be what the network observes.
    """

    def __init__(self, data: Collection[str], arguments: Collection[str]):
        super().__init__()
        self.names = {name for name in data if name not in arguments}

    def on_sample(self, site: Site) -> None:
        if site.value is None or site.name not in self.names:
            return
        how = "kprob.handlers.do" if site.intervened else "`observed=`" if site.observed else "a handler inside of it"
        raise DataError(
            explain(
                f"The data gives `{site.name}` a value, and the generative network gives it another one.",
                received=f"data for `{site.name}`, which the network fixes by {how}",
                expected="one value",
                fix=f"take `{site.name}` out of the data, or remove the handler from the network",
            )
        )
