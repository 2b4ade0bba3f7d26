"""Weights that a network reads and its model doesn't have, so that no fit would ever train them."""

from collections.abc import Callable
from typing import TypeVar

import keras

from kprob.engine.networks import Networks
from kprob.engine.probing.variable_reads import VariableReads
from kprob.errors import SiteError, explain, names

T = TypeVar("T")


def without_foreign_weights(networks: Networks, network: str, run: Callable[[], T]) -> T:
    """Runs a network, all of whose variables have been made, and returns what that returns.

    Args:
        networks: The networks.
        network: "generative" or "inference", for messages.
        run: Runs it.

    Raises:
        SiteError: It reads trainable weights that aren't the model's.
    """
    with VariableReads() as reads:
        result = run()
    own = {id(variable) for variable in networks.variables()}
    foreign = [v for v in reads.variables.values() if v.trainable and id(v) not in own]
    if foreign:
        raise SiteError(_message(networks, network, foreign))
    return result


def _message(networks: Networks, network: str, foreign: list[keras.Variable]) -> str:
    networks.forget()  # layers have been built since
    networks.refresh()
    labels = {} if networks.surroundings is None else networks.surroundings.labels
    known = list(dict.fromkeys(labels[id(v)] for v in foreign if id(v) in labels))
    shown = names(known) if known else "a layer"
    return explain(
        f"The {network} network of {networks.model_name} uses {shown}, which isn't part of the model: no fit would train it, "
        "and no file would have it.",
        received=f"the weights {names(dict.fromkeys(variable.path for variable in foreign))}",
        expected="layers that are attributes of the model, and parameters by `kprob.param`",
        fix="write self.network = layer in `__init__`; in a function, pass the layer as an argument, or write "
        'kprob.module("network", layer)(...); layer.trainable = False where it isn\'t to be trained',
    )
