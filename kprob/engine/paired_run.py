"""One evaluation's run of the two networks, q and then p with q's values, and the variants of it that gradients need.

An estimator of a gradient may want parameters held while values move, or values held while parameters move. Then the
network runs again in a scope in which Keras's variables have other values (the same numbers, behind `stop_gradient`) and
its latents those of the first run. Variables that count (the seeds of dropout) have in it the values from before the first
run, and their updates are dropped; so it computes the same numbers, and XLA computes them once.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeAlias

import keras

from kprob.backend import random
from kprob.data.batch import data_of
from kprob.distributions.corrected.relaxed import rearrange
from kprob.effects import Trace
from kprob.engine.shared_inference import expand_draws
from kprob.engine.spec import Coupling
from kprob.types import Seed, Tensor

stop = keras.ops.stop_gradient

Values: TypeAlias = Mapping[str, Tensor]


class PairedNetworks(Protocol):
    """The two networks, as far as a paired run asks them.

    Attributes:
        coupling: Which places of plates look at each other.
    """

    coupling: Coupling

    def variables(self) -> list[keras.Variable]:
        """Returns the variables that the networks read."""

    def run_inference(
        self, batch: dict, seed: Seed, num_draws: int | None = None, size: Any = None, given: Values | None = None
    ) -> Trace:
        """Runs q."""

    def run_generative(
        self,
        batch: dict,
        seed: Seed,
        latents: Trace | None = None,
        num_draws: int | None = None,
        *,
        unobserved: Iterable[str] = (),
    ) -> Trace:
        """Runs p."""

    def replay(self, batch: dict, seed: Seed, inference: Trace, num_draws: int | None = None) -> Trace:
        """Runs p with the values of a run of q."""


class PairedRun:
    """A run of q and of p, and again under other conditions.

    Args:
        networks: The two networks.
        batch: A batch.
        repeated: The same with its rows repeated once per draw.
        seed: A seed.
        num_draws: Draws that a run stands for, or None for one.
        shared: Whether q runs once on the rows of the batch, for all draws.
        given: Values of latents that aren't to be drawn, still latent.
    """

    def __init__(
        self,
        networks: PairedNetworks,
        batch: dict,
        repeated: dict,
        seed: Seed,
        num_draws: int | None = None,
        shared: bool = False,
        given: Values | None = None,
    ):
        self.networks, self.batch, self.repeated = networks, batch, repeated
        self.seeds = [random.fold_in(seed, i) for i in range(3)]
        self.num_draws, self.shared, self.given = num_draws, shared and num_draws is not None, given
        self.before = [(variable, keras.ops.convert_to_tensor(variable)) for variable in networks.variables()]

    def traces(self) -> tuple[Trace, Trace]:
        """Runs q, then p, and returns the traces of p and q."""
        inference = self.infer(self.given)
        generative = self.generate(inference)
        inference.set_variants(
            frozen=lambda: self.again(lambda: self.infer(values_of(inference)), frozen=True),
            detached=lambda: self.again(lambda: self.infer(held(values_of(inference)))),
            on=self.infer_on,
        )
        generative.set_variants(
            frozen=lambda: self.again(lambda: self.generate(inference), frozen=True),
            detached=lambda: self.again(lambda: self.generate(inference.detached())),
            simulated=lambda: self.again(self.simulate, frozen=True),
        )
        if self.num_draws is not None:
            inference.set_variants(damped=lambda factors: self.infer_damped(inference, factors))
            generative.set_variants(
                damped=lambda factors: self.again(lambda: self.generate(self.infer_damped(inference, factors)))
            )
        return generative, inference

    def infer(self, given: Values | None = None) -> Trace:
        """Runs q, with values given or drawn."""
        if self.num_draws is None or not self.shared:
            trace = self.networks.run_inference(self.repeated, self.seeds[0], self.num_draws, given=given)
        else:
            once = self.networks.run_inference(self.batch, self.seeds[0])
            trace = expand_draws(once, self.repeated, self.num_draws, self.seeds[0], given)
        return self.described(trace)

    def generate(self, inference: Trace) -> Trace:
        """Runs p with the values of q."""
        return self.described(self.networks.replay(self.repeated, self.seeds[1], inference, self.num_draws))

    def described(self, trace: Trace) -> Trace:
        """Returns a trace that knows what it was made from."""
        trace.data, trace.coupled = data_of(self.repeated), self.networks.coupling.plates
        return trace

    def infer_damped(self, inference: Trace, factors: Tensor) -> Trace:
        """Runs q with its parameters held, on draws that gradients reach multiplied by factors."""
        values = values_of(inference)
        for site in inference.random_sites():
            if site.in_data_plate and not site.intervened:
                values[site.name] = rearrange(lambda value: damp(value, factors), site.value)
        return self.again(lambda: self.infer(values), frozen=True)

    def simulate(self) -> Trace:
        """Runs p on the covariates alone: data are drawn too."""
        observed = data_of(self.repeated)
        return self.networks.run_generative(
            self.repeated, self.seeds[2], num_draws=self.num_draws, unobserved=tuple(observed)
        )

    def infer_on(self, simulation: Trace) -> Trace:
        """Runs q on simulated data, with the latents that the data came from."""
        simulated = held(values_of(simulation))

        def replaced(values: Values) -> dict[str, Tensor]:
            return {name: simulated.get(name, value) for name, value in values.items()}

        batch = {**self.repeated, "rows": replaced(self.repeated.get("rows", {}))}
        batch["whole"] = replaced(self.repeated.get("whole", {}))
        return self.networks.run_inference(batch, self.seeds[0], self.num_draws, given=simulated)

    def again(self, run: Callable[[], Trace], frozen: bool = False) -> Trace:
        """Runs a network with the variables as they were before, held where `frozen`."""
        values = [(variable, stop(value) if frozen else value) for variable, value in self.before]
        with keras.StatelessScope(state_mapping=values):
            return run()


def values_of(trace: Trace) -> dict[str, Tensor]:
    """Returns the values of a run's random variables by name."""
    return {site.name: site.value for site in trace.random_sites()}


def held(values: Values) -> dict[str, Tensor]:
    """Returns values through which no gradient flows."""
    return {name: rearrange(stop, value) for name, value in values.items()}


def damp(value: Tensor, factors: Tensor) -> Tensor:
    """Returns a value that gradients reach multiplied by factors.

    Args:
        value: A value per row, shape (S·B, ...).
        factors: One for each draw and row, shape (S, B).
    """
    return _damped(value, keras.ops.reshape(factors, (-1, *[1] * (len(value.shape) - 1))))


@keras.ops.custom_gradient
def _damped(value: Tensor, factors: Tensor) -> tuple[Tensor, Callable]:
    def backward(*arguments: Tensor, upstream: Tensor = None) -> tuple[Tensor, Tensor]:
        upstream = arguments[0] if upstream is None else upstream
        return upstream * factors, keras.ops.zeros_like(factors)

    # The tensor itself, or XLA would not see that both runs are one.
    return value, backward
