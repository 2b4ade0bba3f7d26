"""Whether several draws can share one run, with the rows of the batch repeated for each: tried out when a model is built.

A network is written for one draw. Folded into the rows, draws cost little: an encoder or a decoder runs once, on more rows.
But a network that looks across rows (it counts, sorts, shifts, averages or cumulates them) would then look across draws.
So it runs here on a few rows: draw by draw, and folded with the same values. Only where no site differs are draws folded
from then on. Noise that layers make, such as that of `Dropout`, is held back in these runs; a layer that learns from
its batch, as `BatchNormalization` does in training, has each draw run by itself.
"""

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence

import keras
import numpy as np

from kprob.backend import random
from kprob.data import Data, batch_of, rows_of
from kprob.data.batch import repeat_rows
from kprob.distributions.corrected.relaxed import recall, remember
from kprob.effects import AnyPast, Site, Trace
from kprob.engine.networks import Networks
from kprob.engine.probing.coupling import close, densities, numbers
from kprob.engine.probing.first_rows import on_first_rows
from kprob.engine.probing.varied_values import VariedValues
from kprob.engine.spec import Folding
from kprob.types import Tensor

ROWS = 3  # of data without rows
DRAWS = 2

# Layers that draw a number for each row in training, and what to set to 0 to hold it back.
_NOISE = {
    keras.layers.Dropout: "rate",
    keras.layers.GaussianDropout: "rate",
    keras.layers.AlphaDropout: "rate",
    keras.layers.GaussianNoise: "stddev",
}
# Layers that make one row depend on the others while they are trained.
_ACROSS_ROWS = (keras.layers.BatchNormalization, keras.layers.MixUp, keras.layers.CutMix)


def find_folding(networks: Networks, data: Data) -> Folding:
    """Tries out which networks several draws can share a run of. Every latent must be inside the data plate.

    Args:
        networks: The networks, with all variables.
        data: The data that they are built from.
    """
    trial = _Trial(networks, data, inference=True)
    generative, inference = trial.folds(training=False)
    return Folding(generative, inference, generative and inference and _folds_in_training(networks, trial))


def folds_generative(networks: Networks, data: Data) -> bool:
    """Whether several draws of the prior can share a run of p; it's tried out once.

    Args:
        networks: The networks.
        data: Covariates, and what is observed.
    """
    if networks.folding is None:
        generative, _ = _Trial(networks, data, inference=False).folds(training=False)
        networks.folding = Folding(generative, inference=False, in_training=False)
    return networks.folding.generative


class _Trial:
    # Two draws of the networks on a few rows: run one by one, and folded.
    def __init__(self, networks: Networks, data: Data, inference: bool):
        self.networks, self.data, self.inference = networks, data, inference
        self.noise = [(layer, name) for layer in layers_of(networks) if (name := _noise_of(layer)) is not None]

    def folds(self, training: bool) -> tuple[bool, bool]:
        """Whether p can be folded, and whether q can."""
        found: list[tuple[bool, bool]] = []
        with keras.StatelessScope(), AnyPast(), _silent(self.noise):
            _Run(lambda: found.append(on_first_rows(self._compare, self.data)[0]))(training=training)
        return found[0]

    def _compare(self, data: Data) -> tuple[bool, bool]:
        # One draw is of the prior, which is seldom as narrow as q: values that hardly differ would hide what looks at them.
        batch, networks = batch_of(data), self.networks
        size = None if rows_of(batch) is not None else ROWS
        repeated = batch if size else repeat_rows(batch, DRAWS)

        def generate(latents: Trace | None, unlike: Mapping) -> Trace:
            return networks.run_generative(batch, random.seed(21), latents, None, size, extra=VariedValues(unlike))

        if not self.inference:
            each = [first := generate(None, {}), generate(None, first.values())]
            return self._folded(each, repeated, size), False
        q = networks.run_inference(batch, random.seed(11), None, size)
        each = [generate(q, {}), prior := generate(None, q.values())]
        given = {name: value for name, value in prior.values().items() if name in q}
        infer = [q, networks.run_inference(batch, random.seed(12), None, size, given=given)]
        together = _attempt(
            lambda: networks.run_inference(repeated, random.seed(11), DRAWS, size, given=_folded_values(infer))
        )
        return self._folded(each, repeated, size), together is not None and _agree(infer, together)

    def _folded(self, each: Sequence[Trace], repeated: dict, size: int | None) -> bool:
        given = _folded_values(each)
        folded = _attempt(
            lambda: self.networks.run_generative(repeated, random.seed(21), None, DRAWS, size, given=given)
        )
        return folded is not None and _agree(each, folded)


def _attempt(run: Callable[[], Trace]) -> Trace | None:
    try:
        return run()
    except Exception:  # noqa: BLE001  (whatever the network does with more rows than it was written for)
        return None


def layers_of(networks: Networks) -> list[keras.layers.Layer]:
    """Returns all layers that the networks may call, those inside others too."""
    return networks.host._flatten_layers(include_self=False, recursive=True)


def _folds_in_training(networks: Networks, trial: _Trial) -> bool:
    layers = layers_of(networks)
    if any(isinstance(layer, _ACROSS_ROWS) and layer.trainable for layer in layers):
        return False
    # A layer with one mask for all rows has one for all draws then.
    shapes = [getattr(layer, "noise_shape", None) for layer in layers if _noise_of(layer) is not None]
    if any(shape is not None and shape[0] is not None for shape in shapes):
        return False
    # What Keras's other layers do in training, they do row by row; of the user's own, who knows?
    own = [layer for layer in layers if type(layer).__module__.partition(".")[0] not in ("keras", "kprob")]
    return not any(_takes_training(layer) for layer in own) or all(trial.folds(training=True))


def _noise_of(layer: keras.layers.Layer) -> str | None:
    return next((name for kind, name in _NOISE.items() if isinstance(layer, kind)), None)


def _takes_training(layer: keras.layers.Layer) -> bool:
    try:
        return "training" in inspect.signature(layer.call).parameters
    except (TypeError, ValueError):
        return True


@contextlib.contextmanager
def _silent(noise: list[tuple[keras.layers.Layer, str]]) -> Iterator[None]:
    before = [getattr(layer, name) for layer, name in noise]
    try:
        for layer, name in noise:
            setattr(layer, name, 0.0)
        yield
    finally:
        for (layer, name), value in zip(noise, before, strict=True):
            setattr(layer, name, value)


class _Run(keras.layers.Layer):
    # A call of a Keras layer is how the layers inside learn that they are trained.
    def __init__(self, run: Callable[[], None]):
        super().__init__()
        self.run, self.autocast, self.built = run, False, True

    def call(self, training: bool | None = None) -> None:
        self.run()


def _folded_values(traces: Sequence[Trace]) -> dict[str, Tensor]:
    # Values of what was drawn in each of several runs, one after the other along the rows.
    values = {}
    for site in traces[0].random_sites(observed=False):
        if site.intervened:
            continue
        each = [trace[site.name].value for trace in traces]
        values[site.name] = _joined(each) if site.in_data_plate else each[0]
    return values


def _joined(values: Sequence[Tensor]) -> Tensor:
    joined, logits = keras.ops.concatenate(values), [recall(value) for value in values]
    return joined if any(known is None for known in logits) else remember(joined, keras.ops.concatenate(logits))


def _agree(each: Sequence[Trace], folded: Trace) -> bool:
    if any(list(trace) != list(folded) for trace in each):
        return False
    return all(_same([trace[name] for trace in each], folded[name]) for name in folded)


def _same(each: Sequence[Site], folded: Site) -> bool:
    views: list[Callable[[Site], np.ndarray]] = []
    if folded.is_weighed and not folded.intervened:
        views.append(densities)
    if folded.is_variable:
        views.append(lambda site: numbers(site.value))
    for view in views:
        alone, together = [view(site) for site in each], view(folded)
        parts = np.split(together, len(each)) if folded.in_data_plate else [together] * len(each)
        if not all(close(one, part) for one, part in zip(alone, parts, strict=True)):
            return False
    return True
