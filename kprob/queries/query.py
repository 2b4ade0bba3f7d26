"""A query: a distribution over some of a model's sites, to be drawn from and measured."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kprob.checks import check_count
from kprob.errors import KprobError, explain, names
from kprob.options import check_number
from kprob.types import ArrayLike

Arrays = dict[str, np.ndarray]


class Query(ABC):
    """A distribution over sites: `model.prior(...)`, `model.posterior(...)` or `model.posterior_predictive(...)`.

    With one name, results are arrays; with several or none, dicts of arrays by name.

    To subclass, override `_draw`, `_density`, `_describe` and `_exact`; and, where there is such a thing, `_resample`,
    `_probabilities` and `_most_probable`.

    Args:
        names: Sites, in order.
        single: Whether results are bare arrays.
    """

    def __init__(self, names: list[str], single: bool):
        self.names, self.single = names, single

    def __repr__(self) -> str:
        return f"Query({', '.join(self.names)})"

    def sample(
        self, n: int | None = None, seed: int | None = None, importance_resample: bool | int = False
    ) -> np.ndarray | dict[str, np.ndarray]:
        """Draws jointly.

        Args:
            n: Number of draws, along a new first axis; without it one draw and no such axis.
            seed: An int that makes the result repeatable.
            importance_resample: True for draws chosen among 20 times as many of q, by Pareto-smoothed importance
                weights: they are closer to the posterior than q is. A number chooses among that many times as many.
                The query's data must have what was observed. Where all latents are inside the data plate, each row is
                resampled by itself.

        Returns:
            NumPy arrays of shape `(n,) + plate_shape + event_shape`.
        """
        if n is not None:
            check_count("n", n)
        number = 1 if n is None else int(n)
        if importance_resample is False:
            draws = self._draw(number, seed)
        else:
            draws = self._resample(number, importance_resample, seed)
        return self._result({name: draws[name][0] if n is None else draws[name] for name in self.names})

    def log_prob(
        self, values: ArrayLike | dict[str, ArrayLike] = None, seed: int | None = None
    ) -> np.ndarray | dict[str, np.ndarray]:
        """Returns the log-density of values, each site given those before it.

        Args:
            values: Values by site, or the bare value where the query has one name; with a leading axis of draws or
                without. Sites that the query's data gives can be left out.
            seed: For what must be drawn.

        Returns:
            Log-densities by site of shape `plate_shape`, draws leading.

        Raises:
            KprobError: A site that others depend on has no value.
        """
        if values is not None and not isinstance(values, dict):
            if not self.single:
                raise KprobError(
                    explain(
                        "`log_prob` got a bare value for several sites.",
                        received=f"{type(values).__name__}, and the sites {names(self.names)}",
                        expected="a dict by site",
                        fix=f'write log_prob({{"{self.names[0]}": value, ...}})',
                    )
                )
            values = {self.names[0]: values}
        log_probs = self._density(values or {}, seed)
        return self._result({name: log_probs[name] for name in self.names})

    def sum_log_prob(self, values: ArrayLike | dict[str, ArrayLike] = None, seed: int | None = None) -> float:
        """Returns the sum of `log_prob` over sites and plates: a float."""
        log_probs: Any = self.log_prob(values, seed)
        parts = [log_probs] if self.single else log_probs.values()
        return float(sum(np.sum(part, dtype="float64") for part in parts))

    def mean(self, num_samples: int = 1000, seed: int | None = None) -> np.ndarray | dict[str, np.ndarray]:
        """Returns means: exact where a site's distribution depends on nothing drawn, else over draws."""
        return self._moment(0, lambda draws: draws.mean(0), num_samples, seed)

    def stddev(self, num_samples: int = 1000, seed: int | None = None) -> np.ndarray | dict[str, np.ndarray]:
        """Returns standard deviations: exact where a site's distribution depends on nothing drawn, else over draws."""
        return self._moment(1, lambda draws: draws.std(0, ddof=1), num_samples, seed)

    def interval(
        self, probability: float = 0.9, num_samples: int = 1000, seed: int | None = None
    ) -> np.ndarray | dict[str, np.ndarray]:
        """Returns the central interval that holds a share of the probability.

        Args:
            probability: The share, between 0 and 1.
            num_samples: Draws that quantiles are taken of.
            seed: Makes the result repeatable.

        Returns:
            Arrays with the lower and the upper end along a new first axis.
        """
        check_number("probability", probability, 0.0, 1.0, example=0.9)
        check_count("num_samples", num_samples, 2)
        draws = self._draw(num_samples, seed)
        ends = [(1 - probability) / 2, (1 + probability) / 2]
        return self._result({name: np.quantile(draws[name], ends, axis=0) for name in self.names})

    def probs(self, num_samples: int = 100, seed: int | None = None) -> np.ndarray | dict[str, np.ndarray]:
        """Returns the posterior probabilities of all values of sites that are summed out.

        They are exact given the other latents, and averaged over draws of those where there are any.

        Args:
            num_samples: Draws of the other latents.
            seed: Makes the result repeatable.

        Returns:
            Arrays of shape `plate_shape + (number of values,)`, the values in the order of their support.

        Raises:
            SiteError: A site isn't summed out.
        """
        check_count("num_samples", num_samples)
        return self._result(self._probabilities(num_samples, seed))

    def mode(self) -> np.ndarray | dict[str, np.ndarray]:
        """Returns the most probable values of sites that are summed out, of all of them together.

        For a chain these are the states that Viterbi's algorithm finds. They are exact given the other latents, which
        are taken at the median (or mean) that their distributions in q have.

        Returns:
            Arrays of shape `plate_shape + event_shape`.

        Raises:
            SiteError: A site isn't summed out.
        """
        return self._result(self._most_probable())

    def parameters(self, seed: int | None = None) -> dict:
        """Returns the parameters of the sites' distributions, by site, for one joint draw of what they depend on."""
        parameters = self._describe(seed)
        return self._result({name: parameters[name] for name in self.names})

    def _moment(self, which: int, of_draws: Callable, num_samples: int, seed: int | None) -> Any:
        check_count("num_samples", num_samples, 2)
        exact = self._exact()
        left = [name for name in self.names if name not in exact]
        draws = self._draw(num_samples, seed) if left else {}
        return self._result({n: exact[n][which] if n in exact else of_draws(draws[n]) for n in self.names})

    def _result(self, values: dict) -> Any:
        return values[self.names[0]] if self.single else values

    @abstractmethod
    def _draw(self, number: int, seed: int | None) -> Arrays:
        """Returns joint draws by site, `number` of them along axis 0."""

    @abstractmethod
    def _density(self, values: Mapping[str, Any], seed: int | None) -> Arrays:
        """Returns log-densities by site, of values by site."""

    @abstractmethod
    def _describe(self, seed: int | None) -> dict[str, dict]:
        """Returns the parameters of the sites' distributions, by site."""

    @abstractmethod
    def _exact(self) -> dict[str, tuple]:
        """Returns mean and standard deviation by site, for those sites where they are exact."""

    def _resample(self, number: int, proposals: int | bool, seed: int | None) -> Arrays:
        """Returns draws by importance resampling.

        Args:
            number: Number of draws.
            proposals: Draws of q for each draw that is kept, or True.
            seed: Makes the result repeatable.
        """
        raise KprobError(
            explain(
                "Draws of the prior need no resampling: they are exact.",
                received=f"importance_resample={proposals!r}",
                expected="a posterior or a posterior predictive query",
                fix="leave it out",
            )
        )

    def _probabilities(self, number: int, seed: int | None) -> Arrays:
        """Returns the probabilities of all values of sites that are summed out, over `number` draws of the others."""
        raise KprobError(_only_summed_out("probs"))

    def _most_probable(self) -> Arrays:
        """Returns the most probable values of sites that are summed out."""
        raise KprobError(_only_summed_out("mode"))


def _only_summed_out(verb: str) -> str:
    return explain(
        f"`{verb}` is for discrete latents that are summed out.",
        received="a posterior that is known by draws",
        expected="sample, mean, stddev or interval",
        fix="draw, and count the values",
    )
