"""Inference by draws of a sampler: what chains and populations share."""

from abc import abstractmethod
from typing import Any, Generic, TypeVar

import keras

from kprob.checks import check_count
from kprob.data import Data
from kprob.engine import build_generative, prepare_data
from kprob.engine.checking.agreement import check_not_empty
from kprob.errors import CompileError, explain
from kprob.evaluation.sampler_diagnosis import SamplerDiagnosis, diagnose_sampler
from kprob.inference.context import Context
from kprob.inference.inference import Answers, Inference
from kprob.inference.origin import check_origin
from kprob.inference.sampler_checks import check_options, check_sampler
from kprob.options import check_optional_count
from kprob.queries import Query
from kprob.queries.draws_query import DrawsQuery, predict, require_draws
from kprob.samplers import Sampler
from kprob.samplers.chains.draws import Draws
from kprob.training.callback_needs import savers_last
from kprob.training.plan import FitPlan, make_plan

S = TypeVar("S", bound=Sampler)


class SampledInference(Inference, Generic[S]):
    """A way to infer whose answers come from draws. To subclass, override `run`.

    Args:
        context: The model and what belongs to it.
        sampler: What draws.
    """

    sampler: S

    def __init__(self, context: Context, sampler: S):
        super().__init__(context)
        self.sampler, self.dtype = sampler, sampler.dtype

    @abstractmethod
    def run(self, data: Data, plan: FitPlan, epochs: int | None) -> keras.callbacks.History:
        """Draws from the posterior.

        Args:
            data: The data.
            plan: What `fit` is to do.
            epochs: Epochs at most, or None.
        """

    def build(self, data: Data, num_data: int | None = None, check_values: bool = True) -> None:
        built = build_generative(self.networks, data, num_data, check_values)
        if built and self.context.model.compiled:  # as loading does, which compares the two
            self.context.model.optimizer.build(self.context.model.trainable_variables)

    def fit(self, x: Any, y: Any, **options: Any) -> keras.callbacks.History:
        """Draws from the posterior.

        Args:
            x: Data by name.
            y: Observed values where `x` has only covariates.
            **options: `epochs` (blocks of transitions, or temperatures, at most), `verbose`, `callbacks`,
                `sample_weight`, `initial_epoch`, and `check`, False to say nothing where the draws shouldn't be trusted.
        """
        epochs = options.pop("epochs", None)
        check_optional_count("epochs", epochs, 0, CompileError)
        plan = make_plan(options)
        check_options(self.sampler, options)
        plan.callbacks = savers_last(plan.callbacks)
        with self.networks.precision():
            data = prepare_data(self.networks, x, y, plan.sample_weight)
            check_not_empty(self.networks, x, data)
            return self.run(data, plan, epochs)

    def evaluate(self, x: Any, y: Any, **options: Any) -> dict[str, float] | list[float]:
        name = type(self.sampler).__name__
        raise CompileError(
            explain(
                "`evaluate` returns the objective, and a sampler has none.",
                received=f"a model compiled with {name}",
                expected="a model compiled with an objective",
                fix='call model.diagnose(), or compile(kprob.ELBO(), "adam") first',
            )
        )

    def query(self, kind: str, names: Any, data: Any, size: int = 1) -> Query:
        check_count("size", size)
        return DrawsQuery(self.networks, self.draws_of_fit(), kind, names, data, size)

    def predict(self, x: Any, num_samples: int, seed: int | None, batch_size: int | None) -> Answers:
        return predict(self.networks, self.draws_of_fit(), x, num_samples, seed)

    def diagnose(self, data: Any, num_samples: int, max_rows: int, seed: int | None) -> SamplerDiagnosis:
        return diagnose_sampler(self.networks.model_name, self.draws_of_fit(), self.sampler)

    def draws_of_fit(self) -> Draws:
        draws = require_draws(self.networks.model_name, self.context.draws)
        check_sampler(self.networks.model_name, draws, self.sampler)
        check_origin(self.context, draws)
        return draws
