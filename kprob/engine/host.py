"""What the engine asks of the Keras model whose networks it runs."""

from collections.abc import Callable
from typing import Any, Protocol

import keras

from kprob.guides import Guide


class Host(Protocol):
    """A Keras model that owns networks: it holds their variables, and Keras knows it.

    Attributes:
        name: Keras's name of it.
        built: Whether its variables have been made.
        run_eagerly: Whether Python decides anew, in each run, what the networks do.
        guide: The guide that is its inference network, or None.
        inference: Its handwritten inference network, or None.
        modules: Layers that its networks named by `kprob.module`, or that its functions refer to.
        seed_generator: Its random numbers.
        variable_dtype: The type of its variables.
        train_function: Keras's own program of a step, or None before it is made.
        test_function: Keras's own program of a step of evaluation.
        predict_function: Keras's own program of a prediction.
    """

    name: str
    built: bool
    run_eagerly: bool
    guide: Guide | None
    inference: Callable | None
    modules: dict[str, keras.layers.Layer]
    seed_generator: keras.random.SeedGenerator
    variable_dtype: str
    train_function: Callable | None
    test_function: Callable | None
    predict_function: Callable | None

    @property
    def trainable_variables(self) -> list:
        """The variables that are trained."""

    @property
    def variables(self) -> list:
        """All variables, those of guide, objective and random number generators included."""

    def generative(self, **covariates: Any) -> None:
        """The generative network."""

    def add_weight(self, *args: Any, **kwargs: Any) -> keras.Variable:
        """Makes a variable of the model's own."""

    def posterior(self, names: Any = None, data: Any = None) -> Any:
        """Returns the posterior as a query."""

    def default_guide(self) -> Guide:
        """Returns the guide that stands in where there is no inference network."""

    def _flatten_layers(self, include_self: bool = True, recursive: bool = True) -> list[keras.layers.Layer]: ...
