"""What training minimises: minus the objective per datum."""

import keras

from kprob.backend import random
from kprob.backend import training as training_backend
from kprob.data import rows_of
from kprob.engine import Networks, evaluate
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
        terms = self.terms(batch, random.from_generator(self.networks.host.seed_generator), bool(training))
        loss = self.of_terms(batch, terms)
        logs = [terms[name] / batch["num_data"][0] for name in NAMES]
        unscaled = loss * training_backend.num_replicas()
        return loss, keras.ops.stack([unscaled, *logs]), terms["first_non_finite"]

    def terms(self, batch: dict, seed: Seed, training: bool) -> dict:
        """Evaluates the objective on a batch.

        Args:
            batch: A batch.
            seed: A seed.
            training: Whether what the objective learns from its own values may change.

        Returns:
            "objective", "elbo", "log_likelihood" and "kl", of the whole data set; "first_non_finite", the number of
            the first site whose log-density isn't finite, or -1.
        """
        spec = self.networks.require_spec()
        how = {"foldable": spec.foldable, "shared": spec.shared, "training": training}
        return evaluate(self.networks, self.objective, batch, seed, **how)

    def of_terms(self, batch: dict, terms: dict) -> Tensor:
        """Returns the loss, given the terms of the objective."""
        loss = -terms["objective"] / batch["num_data"][0]
        for extra in self.model.losses:
            loss = loss + keras.ops.cast(extra, loss.dtype)
        # Replicas' gradients are summed: each gives its share.
        return loss / training_backend.num_replicas()

    def note(self, monitors: Monitors, batch: dict, terms: dict) -> None:
        """Takes note of an evaluation in Keras's metrics, weighted by the rows of the batch."""
        rows = rows_of(batch)
        monitors.update({name: terms[name] / batch["num_data"][0] for name in NAMES}, 1 if rows is None else rows)
        monitors.non_finite.update_state(terms["first_non_finite"])
