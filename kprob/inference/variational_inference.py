"""Variational inference: `compile(kprob.ELBO(), "adam")`."""

from typing import Any

import keras

from kprob.data import Data
from kprob.evaluation.guide_diagnosis import Diagnosis, diagnose
from kprob.inference.context import Context
from kprob.inference.inference import Answers, Inference
from kprob.objectives import Objective
from kprob.queries import Query
from kprob.queries.ask import inference_query
from kprob.queries.prediction import predict
from kprob.training import fitting
from kprob.training.loss import Loss
from kprob.training.trainee import Trainee


class VariationalInference(Inference):
    """Inference by an inference network q, which is trained; answers come from q.

    Args:
        context: The model and what belongs to it.
        objective: What is maximised.
    """

    def __init__(self, context: Context, objective: Objective):
        super().__init__(context)
        model, networks = context.model, context.networks
        self.objective, loss = objective, Loss(model, networks, objective)
        self.trainee = Trainee(model, networks, objective, loss, context.monitors, context.freezing)

    @property
    def loss(self) -> Loss:
        return self.trainee.loss

    def build(self, data: Data, num_data: int | None = None, check_values: bool = True) -> None:
        self.trainee.build(data, num_data, check_values)

    def fit(self, x: Any, y: Any, **options: Any) -> keras.callbacks.History:
        return fitting.fit(self.trainee, x, y, **options)

    def evaluate(self, x: Any, y: Any, **options: Any) -> dict[str, float] | list[float]:
        return fitting.evaluate(self.trainee, x, y, **options)

    def query(self, kind: str, names: Any, data: Any, size: int = 1) -> Query:
        return inference_query(self.networks, kind, names, data, size)

    def predict(self, x: Any, num_samples: int, seed: int | None, batch_size: int | None) -> Answers:
        return predict(self.networks, x, num_samples, seed, batch_size)

    def diagnose(self, data: Any, num_samples: int, max_rows: int, seed: int | None) -> Diagnosis:
        history = self.context.model.history
        record = [] if history is None else history.history.get("elbo", [])
        return diagnose(self.networks, record, data, num_samples, max_rows, seed)

    def draws_of_fit(self) -> None:
        return None
