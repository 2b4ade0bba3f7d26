"""The one place where classes and functions are registered for Keras's serialisation."""

from collections.abc import Callable
from typing import TypeVar

import keras

Registered = TypeVar("Registered", bound=Callable)


def register(thing: Registered) -> Registered:
    """Registers a class or a function of kprob's, so that saved configs find it.

    Its name there has the room of kprob that it is from, as in "kprob.guides>Normal", since a layer is called Normal too;
    folders inside the room don't count.
    """
    return register_as(".".join(thing.__module__.split(".")[:2]))(thing)


def register_as(room: str) -> Callable[[Registered], Registered]:
    """Registers a class under the room that files know it by, which isn't the one that it lives in today.

    Args:
        room: Such as "kprob.models".
    """
    return keras.saving.register_keras_serializable(package=room)
