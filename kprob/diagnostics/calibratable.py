"""What simulation-based calibration needs of a model and of its answers."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import keras
import numpy as np


class Answers(Protocol):
    """The answer to a query: draws of some sites."""

    @property
    def names(self) -> Sequence[str]:
        """Names of the sites."""

    def sample(self, num_samples: int, *, seed: int | None = None) -> np.ndarray | dict[str, np.ndarray]:
        """Returns draws, along the first axis: the array of one site that was named alone, else a dict by name."""


class Calibratable(Protocol):
    """A model that can be fitted again and again to simulated data; `ProbabilisticModel` is one."""

    @property
    def built(self) -> bool:
        """Whether the model's variables have been made."""

    @property
    def variables(self) -> Sequence[keras.Variable]:
        """The model's variables, the states of its random number generators among them."""

    @property
    def seed_generator(self) -> keras.random.SeedGenerator:
        """The generator of the model's own seeds."""

    def prior(self, names: Any = None, data: Any = None, size: int = 1) -> Answers:
        """Returns draws of the prior; of every random variable where none is named."""

    def posterior(self, names: Any = None, data: Any = None) -> Answers:
        """Returns draws of the posterior given data; of every latent where none is named."""

    def fit(self, x: Mapping[str, Any], **options: Any) -> object:
        """Fits the model to data."""

    def _begin_anew(self) -> None:
        """Forgets the draws, so that the next fit goes on with none."""

    def _preserved(self) -> AbstractContextManager[None]:
        """Returns a context after which the model's history and draws are those from before."""
