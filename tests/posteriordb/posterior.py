"""What a reference posterior consists of here: the program, its data, and the density by hand."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

# Stan's improper flat priors are written as normal ones this wide: over the posterior they differ by less than 1e-4 nats.
FLAT = 1e5


@dataclass(frozen=True)
class Posterior:
    """A posterior of posteriordb as a kprob model.

    Attributes:
        name: Its folder.
        model: Makes the model from the data that it is fitted to.
        data: Makes that data from the file's.
        near: Values of all latents where the posterior is dense.
        log_density: `(values, data) -> float`, the log-density up to a constant, in NumPy.
        quantities: `values -> values` by the reference's names, of draws (chains, draws, ...).
        heavy: Quantities with tails so heavy that quantiles are compared.
        options: Of the sampler.
    """

    name: str
    model: Callable
    data: Callable
    near: dict
    log_density: Callable
    quantities: Callable = dict
    heavy: tuple[str, ...] = ()
    options: dict = field(default_factory=dict)

    def load(self, folder: Path) -> dict:
        """Returns the data that the model is fitted to."""
        return self.data(json.loads((folder / "data.json").read_text()))


def elements(values: dict) -> dict[str, np.ndarray]:
    """Returns single numbers, (chains, draws) each, under the reference's names: `beta[1]`, `beta[2]`, ..."""
    found = {}
    for name, value in values.items():
        if value.ndim == 2:
            found[name] = value
        else:
            found |= {f"{name}[{i + 1}]": value[..., i] for i in range(value.shape[-1])}
    return found
