"""What rebuilds a model's variables without data, in its saved config."""

from dataclasses import astuple

import keras

from kprob import saving
from kprob.data import Whole
from kprob.engine import Networks, build_generative, find_structure
from kprob.engine.building import ones
from kprob.engine.spec import Coupling, Folding
from kprob.inference.context import Context
from kprob.inference.inference import Inference


def get_build_config(context: Context) -> dict | None:
    """Returns what rebuilds the variables of a model without data, or None where it has none yet."""
    networks, spec = context.networks, context.networks.spec
    if spec is None:
        return None
    return {
        "rows": {name: [list(shape), dtype] for name, (shape, dtype) in spec.rows.items()},
        "latents": list(spec.latents),
        "whole": {name: [list(shape), dtype] for name, (shape, dtype) in spec.whole.items()},
        "num_data": spec.num_data,
        "frozen": saving.frozen_layers(context.model),
        "sampled": spec.sampled,
        "folding": None if networks.folding is None else list(astuple(networks.folding)),
        "coupling": [sorted(networks.coupling.plates), networks.coupling.across_rows],
        "reparam": {name: keras.saving.serialize_keras_object(how) for name, how in networks.reparam.items()},
        "frozen_names": list(context.freezing.parts),
    }


def build_from_config(context: Context, inference: Inference, config: dict | None) -> None:
    """Makes the variables again, on rows of ones: only shapes matter.

    Args:
        context: The model and what belongs to it.
        inference: How it is learnt.
        config: What `get_build_config` returned.
    """
    networks = context.networks
    if not config or networks.built:
        return
    if config.get("frozen_names"):
        context.freezing.freeze(*config["frozen_names"])
    reparam = config.get("reparam", {})
    networks.reparam = {n: keras.saving.deserialize_keras_object(how) for n, how in reparam.items()}
    networks.reparam_is_open = False
    # What q has learnt to infer is no data, even where some fits had data of it.
    rows, whole = (_without(config[kind], config.get("latents", ())) for kind in ("rows", "whole"))
    data = ones(rows, whole, config["num_data"])
    named = {**data.rows, **{name: Whole(value) for name, value in data.whole.items()}}
    find_structure(networks, named, check_values=False)
    if config.get("sampled"):
        build_generative(networks, data, config["num_data"], check_values=False)
    else:
        inference.build(data, config["num_data"], check_values=False)
        _restore_trials(networks, config)
    saving.freeze_layers(context.model, config["frozen"])


def _restore_trials(networks: Networks, config: dict) -> None:
    # What was found on the data, which rows of ones needn't show.
    if "coupling" in config:
        plates, across_rows = config["coupling"]
        networks.coupling = networks.coupling.and_also(Coupling(frozenset(plates), across_rows))
    if config.get("folding") is not None and networks.folding is not None:
        networks.folding = networks.folding.and_also(Folding(*config["folding"]))


def _without(shapes: dict, names: list[str]) -> dict:
    return {name: shape for name, shape in shapes.items() if name not in names}
