"""The one place where classes and functions are registered for Keras's serialisation."""

import keras


def register(thing):
    """Registers a class or a function of kprob's, so that saved configs find it.

    Its name there has the part of kprob that it is from, as in "kprob.guides>Normal": a layer has that name too.
    """
    package = ".".join(thing.__module__.split(".")[:2])
    return keras.saving.register_keras_serializable(package=package)(thing)
