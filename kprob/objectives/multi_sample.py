"""Objectives of several draws together: a bound, or weights, that aren't an average over draws.

What counts of a draw is its weight w = p(x, z) / q(z). Where every latent belongs to a row of data, and no row looks at
another, a row has weights of its own and is judged by them: the bounds of all rows add up. Else a draw of all latents has
one weight.
"""

from typing import NamedTuple

import keras

from kprob.effects import Site, Trace
from kprob.errors import CompileError, explain
from kprob.objectives.estimation.density_terms import latents_of
from kprob.objectives.estimation.draw_runs import DrawRuns
from kprob.objectives.estimation.objective_values import ObjectiveValues
from kprob.objectives.estimation.score_function import score_of, unreparameterized_latents, zero_with_gradient
from kprob.objectives.objective import Objective, observed_names
from kprob.types import Tensor

stop = keras.ops.stop_gradient


class WeighedDraws(NamedTuple):
    """What draws contribute to an objective, one number per draw, or per draw and row where each row is judged.

    Attributes:
        arrays: What `MultiSampleObjective.weigh` returned, by the names that it gave.
        scores: The log-density of each draw of q that can't be reparameterised, latent by latent.
        log_likelihood: The log-density of what is observed, per draw.
        elbo: log p − log q, per draw; no gradient flows through it.
        rest: The terms that belong to no row, where rows are judged; per draw.
        row_factors: How often each row counts, one array; none where rows aren't judged.
    """

    arrays: dict[str, Tensor]
    scores: tuple[Tensor, ...]
    log_likelihood: Tensor
    elbo: Tensor
    rest: Tensor
    row_factors: tuple[Tensor, ...]


class MultiSampleObjective(Objective):
    """Base class of objectives of several draws together.

    To subclass, override `weigh`, which returns what the objective needs of every draw, by name, and `bound`, which makes one
    value of all draws. The arrays that go from one to the other have one number per draw, `(S,)`, or per draw and row,
    `(S, B)`, and `bound` takes them all and reduces the first axis.

    Args:
        num_samples: Draws of the latents for each evaluation.
    """

    def weigh(self, generative_trace: Trace, inference_trace: Trace, log_prob: "LogProb") -> dict:
        """Returns arrays, one number per draw (and row), by name; "log_weights" among them.

        Args:
            generative_trace: Trace of p.
            inference_trace: Trace of q.
            log_prob: Sums a trace's log-densities, per draw or per draw and row: `log_prob(trace)`.
        """
        return {"log_weights": log_prob(generative_trace) - log_prob(inference_trace)}

    def bound(self, arrays: dict) -> Tensor:
        """Returns the objective of all draws, each row's where there are rows: a scalar or shape (B,).

        Args:
            arrays: What `weigh` returned, of shape (S,) or (S, B).
        """
        raise NotImplementedError(f"{type(self).__name__} must override `bound`.")

    def call(self, generative_trace: Trace, inference_trace: Trace) -> Tensor:
        return self.values(generative_trace, inference_trace).objective

    def run(self, runs: DrawRuns) -> ObjectiveValues:
        if self.num_samples == 1 or (runs.foldable and self.takes_folded_draws):
            return runs.in_one_run(self.values, self.num_samples, self.shares_inference)
        return self.combine(runs.one_by_one(self.weigh_draws, self.num_samples))

    def values(self, generative_trace: Trace, inference_trace: Trace) -> ObjectiveValues:
        draws = self.weigh_draws(generative_trace, inference_trace)
        if generative_trace.num_draws is None:
            draws = keras.tree.map_structure(lambda value: keras.ops.expand_dims(value, 0), draws)
        return self.combine(draws)

    def weigh_draws(self, generative_trace: Trace, inference_trace: Trace) -> WeighedDraws:
        """Returns what the draws of one run contribute: those of one draw, or of several along the first axis."""
        log_prob = LogProb(inference_trace)
        return WeighedDraws(
            arrays=self.weigh(generative_trace, inference_trace, log_prob),
            scores=tuple(log_prob.of(site) for site in unreparameterized_latents(inference_trace)),
            log_likelihood=generative_trace.log_prob(observed_names(generative_trace)),
            elbo=stop(generative_trace.log_prob() - inference_trace.log_prob()),
            rest=log_prob.rest(generative_trace),
            row_factors=(log_prob.row_factors(),) if log_prob.by_row else (),
        )

    def combine(self, draws: WeighedDraws) -> ObjectiveValues:
        """Returns what is made of all draws, which are along the first axis."""
        log_likelihood = keras.ops.mean(draws.log_likelihood)
        value = self.bound(draws.arrays)
        if draws.scores:
            value = value + self.score_function_term(draws.arrays, value, sum(draws.scores))
        for factors in draws.row_factors:
            value = keras.ops.sum(value * factors[0])
        value = value + keras.ops.mean(draws.rest)
        elbo = self.logged(stop(value), keras.ops.mean(draws.elbo))
        return ObjectiveValues(value, elbo, log_likelihood, log_likelihood - elbo, {})

    def logged(self, value: Tensor, single: Tensor) -> Tensor:
        """Returns the evidence lower bound that is logged.

        Args:
            value: The objective.
            single: The mean of log p − log q over draws.
        """
        return value

    def score_function_term(self, arrays: dict, value: Tensor, score: Tensor) -> Tensor:
        """Returns a number that is zero and whose gradient is the score function's share.

        A draw's score is multiplied by what the draw itself adds to the bound: the bound less the one in which its weight
        is the geometric mean of the others' (Mnih and Rezende 2016).
        """
        number = score.shape[0]
        advantage = stop(value)
        if number > 1:
            without = self.bound({name: _others(stop(array), number) for name, array in arrays.items()})
            advantage = stop(value) - stop(without)
        return keras.ops.sum(advantage * zero_with_gradient(score), axis=0)


class LogProb:
    """Sums log-densities per draw, or per draw and row where every latent of q belongs to a row and no row looks at others.

    Args:
        inference_trace: A trace of q.
    """

    def __init__(self, inference_trace: Trace):
        self.trace = inference_trace
        latents = latents_of(inference_trace)
        inside = all(site.in_data_plate for site in latents)
        self.by_row = bool(latents) and inside and latents[0].plates[0].name not in inference_trace.coupled

    def __call__(self, trace: Trace, sites: list[str] | None = None) -> Tensor:
        """Returns the sum over sites, all or the named ones; not weighted and scaled where it's per row."""
        if not self.by_row:
            return trace.log_prob(sites)
        inside = [s.name for s in trace.weighed_sites() if s.in_data_plate and (sites is None or s.name in sites)]
        return trace.log_prob_rows(inside, weighted=False)

    def of(self, site: Site) -> Tensor:
        """Returns the log-density of a draw of q."""
        value = score_of(site)
        if not self.by_row:
            return keras.ops.sum(value)
        if len(value.shape) > 1:
            value = keras.ops.sum(value, axis=tuple(range(1, len(value.shape))))
        return self._by_draw(value)

    def rest(self, trace: Trace) -> Tensor:
        """Returns the terms that belong to no row, where rows are judged one by one."""
        outside = [s.name for s in trace.weighed_sites() if self.by_row and not s.in_data_plate]
        return trace.log_prob(outside)

    def row_factors(self) -> Tensor:
        """Returns how often each row counts, where rows are judged one by one."""
        site = latents_of(self.trace)[0]
        plate = site.plates[0]
        ones = keras.ops.ones_like(self.of(site))
        weights = ones if plate.weights is None else self._by_draw(keras.ops.cast(plate.weights, ones.dtype))
        return weights * plate.scale

    def _by_draw(self, value: Tensor) -> Tensor:
        return value if self.trace.num_draws is None else keras.ops.reshape(value, (self.trace.num_draws, -1))


def normalized(log_weights: Tensor) -> Tensor:
    """Returns weights that sum to one over the first axis, through which no gradient flows."""
    return stop(keras.ops.softmax(log_weights, axis=0))


def require_reparameterized(objective: Objective, inference_trace: Trace, instead: str) -> None:
    """Checks that every latent can be reparameterised.

    Args:
        objective: The objective that needs it.
        inference_trace: Trace of q.
        instead: What to use where it can't.

    Raises:
        CompileError: One can't.
    """
    unreparameterized = unreparameterized_latents(inference_trace)
    if unreparameterized:
        raise CompileError(
            explain(
                f"{type(objective).__name__} needs draws that move with their parameters.",
                received=f"latent `{unreparameterized[0].name}`, a {type(unreparameterized[0].distribution).__name__}",
                expected="latents that can be reparameterised",
                fix=f"use {instead}, or leave discrete latents out of `inference`",
            )
        )


def _others(values: Tensor, number: int) -> Tensor:
    # Along a new second axis each draw in its turn has the mean of the others: (S, S) or (S, S, B).
    mask = keras.ops.reshape(keras.ops.eye(number), (number, number, *[1] * (len(values.shape) - 1)))
    others = (keras.ops.sum(values, axis=0) - values) / (number - 1)  # [S, ...]
    return keras.ops.expand_dims(values, 1) * (1.0 - mask) + keras.ops.expand_dims(others, 0) * mask
