"""What tests look at inside a model: its data as the engine has it, the terms of its objective, its loss."""

from kprob.engine import prepare_data
from kprob.training.loss import Loss

__all__ = ["build_on", "loss_of", "evaluate_objective", "prepare_data", "trainee_of"]


def loss_of(model) -> Loss:
    """Returns the loss that a model is trained by."""
    return model._state.inference.loss


def trainee_of(model):
    """Returns what is trained."""
    return model._state.inference.trainee


def evaluate_objective(model, batch, seed):
    """Evaluates a model's objective on a batch, as a step of training does."""
    return loss_of(model).evaluate(batch, seed, True)


def build_on(model, data):
    """Makes a model's variables, as the first fit to the data does."""
    model._state.inference.build(prepare_data(model.networks, data))
