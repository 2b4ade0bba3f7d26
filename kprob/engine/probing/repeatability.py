"""Whether a network does the same when it runs again with the same seed, as a compiled program takes for granted.

A layer that is made inside a network has new weights in every run, which nobody trains; a number drawn by NumPy is drawn
once, when the program is compiled, and never again. Neither is an error in Python or Keras, and both give wrong answers.
"""

import keras
import numpy as np

from kprob.backend import random
from kprob.effects import Site, Trace
from kprob.engine.networks import Networks
from kprob.engine.probing.coupling import close, numbers
from kprob.errors import SiteError, explain

TOLERANCE = 1e-3


def check_repeatable(networks: Networks, batch: dict, inference: Trace, generative: Trace) -> None:
    """Runs both networks again with the seeds of an earlier run and compares the sites.

    Args:
        networks: The networks.
        batch: A batch.
        inference: Trace of q with `random.seed(1)`.
        generative: Trace of p with `random.seed(2)` and the latents of `inference`.

    Raises:
        SiteError: A site differs.
    """
    before = _states(networks)
    again = networks.run_inference(batch, random.seed(1))
    _compare(networks, "inference", inference, again, before)
    again = networks.run_generative(batch, random.seed(2), latents=inference)
    _compare(networks, "generative", generative, again, before)


def _states(networks: Networks) -> list[np.ndarray]:
    # Seeds of the model's own layers: a dropout that draws anew in each run is no mistake.
    variables = [v for v in networks.variables() if "int" in keras.backend.standardize_dtype(v.dtype)]
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def _compare(networks: Networks, network: str, first: Trace, second: Trace, before: list[np.ndarray]) -> None:
    differing = [name for name in first if name not in second or not _same(first[name], second[name])]
    after = _states(networks)
    if not differing or len(before) != len(after) or any(np.any(a != b) for a, b in zip(before, after, strict=True)):
        return
    raise SiteError(
        explain(
            f"Two runs of the {network} network of {networks.model_name} with the same seed differ, first at site "
            f"`{differing[0]}`.",
            received="a layer that is made anew in each run, or numbers that don't come from kprob",
            expected="layers that are made once, and no randomness but that of the sites",
            fix="make layers in `__init__` (or outside the function, and pass them in), and draw by `kprob.sample` rather "
            "than by NumPy",
        )
    )


def _same(first: Site, second: Site) -> bool:
    pairs = (first.value, second.value), (first.log_prob(), second.log_prob())
    as_numbers = ([numbers(keras.ops.convert_to_tensor(one)) for one in pair] for pair in pairs)
    return all(close(one, other, TOLERANCE) for one, other in as_numbers)
