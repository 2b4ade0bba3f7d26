"""What callbacks change in the middle of a fit: compiled steps must follow."""

from typing import Any

import keras

from kprob.engine import find_structure
from kprob.training.ownership import require_known
from kprob.training.trainee import Trainee


def follow_callbacks(trainee: Trainee) -> bool:
    """Forgets what was compiled where a callback has changed what is in it, and checks the networks again.

    Args:
        trainee: What is trained.

    Returns:
        Whether anything has changed.

    Raises:
        SiteError: The networks have other sites or weights now.
        CompileError: The optimizer doesn't know all variables that are trained now.
    """
    networks = trainee.networks
    before = networks.num_changes
    networks.refresh()
    if networks.changed:
        find_structure(networks)
    require_known(networks, trainee.model)
    return networks.num_changes != before


class FollowCallbacks(keras.callbacks.Callback):
    """The same for Keras's own loop; it comes last, after callbacks that may have changed something.

    Args:
        trainee: What is trained.
    """

    def __init__(self, trainee: Trainee):
        super().__init__()
        self.trainee = trainee

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if follow_callbacks(self.trainee):
            self.trainee.model.make_train_function(force=True)
