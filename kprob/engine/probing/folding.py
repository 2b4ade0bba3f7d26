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
        found = []
        with keras.StatelessScope(), AnyPast(), _silent(self.noise):
            # One draw is of the prior, which is seldom as narrow as q: values that hardly differ would hide what looks at
            # them. But a network may fail where q never goes.
            for compare in (self._compare_with_prior, self._compare_draws_of_q):
                try:
                    _Run(lambda: found.append(on_first_rows(compare, self.data)[0]))(training=training)  # noqa: B023
                except Exception:  # noqa: BLE001
                    continue
                return found[0]
        return False, False

    def _compare_with_prior(self, data: Data) -> tuple[bool, bool]:
        run = _Runs(self.networks, batch_of(data))
        if not self.inference:
            first = run.generative(21)
            return run.generative_folds([first, run.generative(22, unlike=first.values())]), False
        q = run.inference(11)
        each = [run.generative(21, q), run.generative(22, unlike=q.values())]
        given = {name: value for name, value in each[1].values().items() if name in q}
        return run.generative_folds(each), run.inference_folds([q, run.inference(12, given)])

    def _compare_draws_of_q(self, data: Data) -> tuple[bool, bool]:
        run = _Runs(self.networks, batch_of(data))
        q = [run.inference(11), run.inference(12)]
        return run.generative_folds([run.generative(21, each) for each in q]), run.inference_folds(q)


class _Runs:
    # Runs of the networks on a few rows.
    def __init__(self, networks: Networks, batch: dict):
        self.networks, self.batch = networks, batch
        self.size = None if rows_of(batch) is not None else ROWS
        self.repeated = batch if self.size else repeat_rows(batch, DRAWS)

    def generative(self, seed: int, latents: Trace | None = None, unlike: Mapping | None = None) -> Trace:
        extra = VariedValues(unlike or {})
        return self.networks.run_generative(self.batch, random.seed(seed), latents, None, self.size, extra=extra)

    def inference(self, seed: int, given: Mapping | None = None) -> Trace:
        return self.networks.run_inference(self.batch, random.seed(seed), None, self.size, given=given)

    def generative_folds(self, each: Sequence[Trace]) -> bool:
        run, given = self.networks.run_generative, _folded_values(each)
        return _agree(each, lambda: run(self.repeated, random.seed(21), None, DRAWS, self.size, given=given))

    def inference_folds(self, each: Sequence[Trace]) -> bool:
        run, given = self.networks.run_inference, _folded_values(each)
        return _agree(each, lambda: run(self.repeated, random.seed(11), DRAWS, self.size, given=given))


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


def _agree(each: Sequence[Trace], run: Callable[[], Trace]) -> bool:
    try:
        folded = run()
    except Exception:  # noqa: BLE001  (whatever the network does with more rows than it was written for)
        return False
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
