"""The log-density of a model's latents given its data, over one vector of unconstrained numbers."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import keras

from kprob import distributions
from kprob.backend import float_type, random
from kprob.checks import plates_text
from kprob.density.unconstrained import Unconstrained
from kprob.effects import Site, Trace
from kprob.engine import Networks
from kprob.engine.enumeration import SummationPlan, collapse, enumerable, find_plan
from kprob.errors import MismatchError, explain
from kprob.types import Seed, Tensor


@dataclass(frozen=True)
class UnconstrainedLatent:
    """Where a latent's unconstrained numbers lie in the vector of all.

    Attributes:
        name: The site.
        shape: Shape of its unconstrained numbers, plates first.
        start: Position of the first of them.
        in_data_plate: Whether it has a value for each row of the data.
        discrete: Whether its numbers are its values, whole numbers that no gradient moves.
        support: The values that a discrete one may have where they are few, else nothing.
        counts: Whether the values of a discrete one are never negative.
    """

    name: str
    shape: tuple[int, ...]
    start: int
    in_data_plate: bool = False
    discrete: bool = False
    support: tuple[float, ...] = ()
    counts: bool = False

    @property
    def size(self) -> int:
        """How many there are."""
        return math.prod(self.shape)


class LogDensity:
    """log p(x, z(u)) + log |dz/du| of a model: latents z, data x, unconstrained numbers u.

    With a transport, which carries numbers v to u by an invertible function, it is the density of v, that of u times the
    Jacobian's determinant: the same posterior in coordinates in which it may be rounder.

    Args:
        networks: The model's networks, of which the generative one is used.
        latents: The latents, in the order of the vector.
        plan: How discrete latents are summed out; None for none.
        transport: `(numbers by name, batch) -> (unconstrained numbers by name, log of the Jacobian's determinant)`.
    """

    def __init__(
        self,
        networks: Networks,
        latents: tuple[UnconstrainedLatent, ...],
        plan: SummationPlan | None = None,
        transport: Callable | None = None,
    ):
        self.networks = networks
        self.latents = latents
        self.plan = plan
        self.transport = transport

    @property
    def size(self) -> int:
        """Length of the vector."""
        return sum(latent.size for latent in self.latents)

    def __call__(self, vector: Tensor, batch: dict) -> Tensor:
        """Returns the log-density, a scalar.

        Args:
            vector: Unconstrained numbers, shape (size,).
            batch: The data.
        """
        trace, handler = self.run(vector, batch)
        return trace.log_prob() + handler.log_det

    def prior_and_likelihood(self, vector: Tensor, batch: dict) -> tuple[Tensor, Tensor]:
        """Returns the logarithms of the prior's density and of the likelihood, which sum up to the log-density.

        Args:
            vector: Unconstrained numbers, shape (size,).
            batch: The data.
        """
        trace, handler = self.run(vector, batch)
        latent = {latent.name for latent in self.latents}
        prior = trace.log_prob(latent) + handler.log_det
        return prior, trace.log_prob([site.name for site in trace.weighed_sites() if site.name not in latent])

    def run(self, vector: Tensor, batch: dict, seed: Seed = None) -> tuple[Trace, Unconstrained]:
        """Runs the generative network at a position; finite discrete latents are summed out, the rest is drawn."""
        position, log_det = self.position(vector), 0.0
        if self.transport is not None:
            position, log_det = self.transport(position, batch)
        handler = Unconstrained(position, log_det)
        seed = random.seed(0) if seed is None else seed
        trace = self.networks.run_generative(batch, seed, extra=handler)
        if self.plan is not None:
            latents = only(trace, [latent.name for latent in self.latents])
            trace = collapse(self.networks, self.plan, batch, seed, latents)
        return trace, handler

    def values(self, vector: Tensor, batch: dict) -> dict[str, Tensor]:
        """Returns the latents' values at a position, by name."""
        trace, _ = self.run(vector, batch)
        return {latent.name: trace[latent.name].value for latent in self.latents}

    def terms(self, vector: Tensor, batch: dict) -> dict[str, Tensor]:
        """Returns each site's log-density at a position, for messages."""
        trace, _ = self.run(vector, batch)
        return {site.name: keras.ops.sum(trace.site_log_prob(site)) for site in trace.weighed_sites()}

    def draw_prior(self, batch: dict, seed: Seed) -> Tensor:
        """Returns the vector of a draw from the prior."""
        return self.vector_of(self.networks.run_generative(batch, seed))

    def vector_of(self, trace: Trace) -> Tensor:
        """Returns the vector of a run's values."""
        return self.vector(
            {
                latent.name: keras.ops.cast(trace[latent.name].value, float_type())
                if latent.discrete
                else distributions.support_bijector(trace[latent.name].distribution).inverse(trace[latent.name].value)
                for latent in self.latents
            }
        )

    def position(self, vector: Tensor) -> dict[str, Tensor]:
        """Cuts a vector into the latents' numbers, by name."""
        return {
            latent.name: keras.ops.reshape(vector[latent.start : latent.start + latent.size], latent.shape)
            for latent in self.latents
        }

    def vector(self, position: Mapping[str, Tensor]) -> Tensor:
        """Puts unconstrained numbers by name into one vector."""
        return keras.ops.concatenate([keras.ops.reshape(position[latent.name], (-1,)) for latent in self.latents])


def find_log_density(
    networks: Networks, batch: dict, sampler: str = "The sampler", moves_on: Callable = lambda name: False
) -> LogDensity:
    """Finds the latents of a model by running it once.

    Args:
        networks: The model's networks.
        batch: The data; its sites are observed.
        sampler: What the density is for, for messages.
        moves_on: Whether a discrete latent, by name, is an argument of the density rather than summed out.

    Raises:
        MismatchError: A latent is discrete and neither summed out nor moved on, or there is none.
    """
    trace = networks.run_generative(batch, random.seed(0))
    latents: list[UnconstrainedLatent] = []
    for site in trace.random_sites(observed=False):
        start = sum(latent.size for latent in latents)
        if distributions.is_discrete(site.distribution) and moves_on(site.name):
            latents.append(_discrete_latent(site, start, sampler))
            continue
        if enumerable(site):
            continue
        _require_continuous(site, sampler)
        bijector = distributions.support_bijector(site.distribution)
        latents.append(
            UnconstrainedLatent(site.name, tuple(bijector.inverse(site.value).shape), start, site.in_data_plate)
        )
    if not latents:
        raise MismatchError(
            explain(
                f"{sampler} has nothing to draw: {networks.model_name} has no latent site.",
                received=f"data for every one of {', '.join(s.name for s in trace.random_sites())}",
                expected="a random variable that the data doesn't give",
                fix="leave what is to be inferred out of the data",
            )
        )
    plan = None
    if any(enumerable(site) for site in trace.random_sites(observed=False)):
        plan = find_plan(networks, batch, only(trace, [latent.name for latent in latents]))
    return LogDensity(networks, tuple(latents), plan)


def _discrete_latent(site: Site, start: int, sampler: str) -> UnconstrainedLatent:
    inner, _ = distributions.split_independent(site.distribution)
    if len(inner.event_shape):
        raise MismatchError(
            explain(
                f"{sampler} can't move on the discrete latent `{site.name}`: its numbers depend on each other.",
                received=f"a {type(inner).__name__} of event shape {tuple(inner.event_shape)}",
                expected="discrete latents whose values are single numbers, such as Categorical or Poisson",
                fix=f"write `{site.name}` as numbers, such as a Categorical in place of a OneHotCategorical",
            )
        )
    values = distributions.enumerate_support(inner)
    support = () if values is None else tuple(float(v) for v in keras.ops.convert_to_numpy(values).ravel())
    below = distributions.contains(inner, keras.ops.full(tuple(site.value.shape), -1, inner.dtype))
    counts = below is not None and not bool(keras.ops.any(below))
    return UnconstrainedLatent(site.name, tuple(site.value.shape), start, site.in_data_plate, True, support, counts)


def only(trace: Trace, names: Iterable[str]) -> Trace:
    """Returns some of the sites of a run."""
    part = Trace()
    for name in names:
        part.add(trace[name])
    return part


def _require_continuous(site: Site, sampler: str) -> None:
    if distributions.is_discrete(site.distribution):
        raise MismatchError(
            explain(
                f"{sampler} can't move on the discrete latent `{site.name}`.",
                received=f"a {type(site.distribution).__name__} in plates {plates_text(site.plates)}",
                expected="continuous latents, and discrete ones with finitely many values",
                fix="compile with kprob.samplers.DiscreteGibbs(kprob.NUTS()), which moves on "
                f"`{site.name}` too, observe it, or choose a family with finitely many values",
            )
        )
