"""What is trained: a model with its networks, what is sought, and which of its parts stay as they are."""

from dataclasses import dataclass

import keras

from kprob.data import Data
from kprob.engine import Networks, build
from kprob.objectives import Objective
from kprob.training.freezing import Freezing
from kprob.training.loss import Loss
from kprob.training.metrics import Monitors
from kprob.training.objective_state import build_objective
from kprob.training.ownership import check_optimizer


@dataclass(slots=True)
class Trainee:
    """A model that is trained.

    Attributes:
        model: The Keras model, with its optimizer.
        networks: Its networks.
        objective: What is maximised.
        loss: What is minimised.
        monitors: Its metrics.
        freezing: Which of its parts aren't trained.
    """

    model: keras.Model
    networks: Networks
    objective: Objective
    loss: Loss
    monitors: Monitors
    freezing: Freezing

    def build(self, data: Data, num_data: int | None = None, check_values: bool = True) -> None:
        """Makes the model's variables, or checks further data of a model that has them.

        Args:
            data: Some rows, or all.
            num_data: Rows of the whole data set, where `data` is only a part of it.
            check_values: Whether observed values must lie in their supports.
        """
        if self.model.compiled:
            check_optimizer(self.model.optimizer, self.networks)
        batch = build(self.networks, data, num_data, check_values)
        if batch is None:
            return
        self.freezing.apply()
        build_objective(self.networks, self.objective, batch)
        if self.model.compiled:
            self.model.optimizer.build(self.model.trainable_variables)
