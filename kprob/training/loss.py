"""What training minimises: minus the objective per datum."""

import keras

from kprob.backend import random
from kprob.backend import training as training_backend
from kprob.data import rows_of
from kprob.engine import Networks, evaluate
from kprob.engine.evaluation import Evaluation
from kprob.objectives import Objective
from kprob.training.metrics import NAMES, Monitors
from kprob.types import Seed, Tensor

LOG_NAMES = ("loss", *NAMES)


class Loss(keras.layers.Layer):
    """Minus the objective per datum on a batch, and what is logged with it.

    A call of a Keras layer is how the layers inside learn whether they are trained, and how their losses are collected;
    so this is one, with no variables of its own.

    Args:
        model: The Keras model that owns the networks.
        networks: Its networks.
        objective: What is maximised.
    """

    def __init__(self, model: keras.Model, networks: Networks, objective: Objective):
        super().__init__(name="loss")
        self.model, self.networks, self.objective = model, networks, objective
        self.autocast, self.built = False, True

    def call(self, batch: dict, training: bool | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Evaluates the objective on a batch.

        Args:
            batch: A batch.
            training: Whether the model is being trained.

        Returns:
            The loss, a vector of what is logged (`LOG_NAMES`), and the number of the first term that isn't finite.
        """
        seed = random.from_generator(self.networks.host.seed_generator)
        evaluation = self.evaluate(batch, seed, bool(training))
        loss = self.of_evaluation(batch, evaluation)
        logs = [value / batch["num_data"][0] for value in evaluation.logged]
        unscaled = loss * training_backend.num_replicas()
        return loss, keras.ops.stack([unscaled, *logs]), evaluation.first_non_finite

    def evaluate(self, batch: dict, seed: Seed, training: bool) -> Evaluation:
        """Evaluates the objective on a batch.

        Args:
            batch: A batch.
            seed: A seed.
            training: Whether layers are trained, and what the objective learns from its own values may change.
        """
        return evaluate(self.networks, self.objective, batch, seed, training=training)

    def of_evaluation(self, batch: dict, evaluation: Evaluation) -> Tensor:
        """Returns the loss, given the objective's values on a batch."""
        loss = -evaluation.objective / batch["num_data"][0]
        for extra in self.model.losses:
            loss = loss + keras.ops.cast(extra, loss.dtype)
        # Replicas' gradients are summed: each gives its share.
        return loss / training_backend.num_replicas()

    def note(self, monitors: Monitors, batch: dict, evaluation: Evaluation) -> None:
        """Takes note of an evaluation in Keras's metrics, weighted by the rows of the batch."""
        rows = rows_of(batch)
        values = [value / batch["num_data"][0] for value in evaluation.logged]
        monitors.update(dict(zip(NAMES, values, strict=True)), 1 if rows is None else rows)
        monitors.non_finite.update_state(evaluation.first_non_finite)
