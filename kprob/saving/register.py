"""The one place where classes and functions are registered for Keras's serialisation."""

import keras


def register(thing):
    """Registers a class or a function under the package name "kprob", so that saved configs find it."""
    return keras.saving.register_keras_serializable(package="kprob")(thing)
