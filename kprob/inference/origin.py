"""Where draws come from: what the density that they are of is made of, beside the data."""

import contextlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np

from kprob import saving
from kprob.backend import random
from kprob.data import Data, batch_of
from kprob.data.fingerprint import of_arrays, of_each
from kprob.density import LogDensity
from kprob.effects import AnyPast
from kprob.engine import find_structure
from kprob.engine.probing.variable_reads import VariableReads
from kprob.errors import KprobError, explain
from kprob.inference.context import Context
from kprob.inspection.example_data import example_data
from kprob.samplers.chains.draws import Draws
from kprob.samplers.chains.origin import Origin


@contextlib.contextmanager
def noted_reads(context: Context) -> Iterator[None]:
    """Notes which variables the generative network reads, while it runs.

    Args:
        context: A built model and what belongs to it.
    """
    with VariableReads() as reads:
        yield
    context.reads = _weights_among(context, reads)


def origin_of(context: Context, data: Data, latents: Iterable[str]) -> Origin:
    """Returns the origin of draws that are to be made.

    Args:
        context: A model that was run under `noted_reads`, and what belongs to it.
        data: The data.
        latents: Names of the latents.
    """
    sites = find_structure(context.networks).sites
    per_row = any(sites[name].in_data_plate for name in latents if name in sites)
    return Origin(_of_weights(context), _of_constants(context), of_each(data.rows) if per_row else {})


def density_key(density: LogDensity, data: Data) -> tuple:
    """Returns what tells the programs of a density from those of others: other data may have other sites summed out.

    Args:
        density: The density.
        data: Data of which it is.
    """
    summed = () if density.plan is None else density.plan.sites
    return density.latents, summed, tuple(data.rows), tuple(data.whole), density.transport is None


def check_origin(context: Context, draws: Draws) -> None:
    """Checks that draws are of the model as it is.

    Raises:
        KprobError: Weights or constants of its density have changed since they were drawn.
    """
    if not draws.origin.weights and not draws.origin.constants:
        return
    changed = draws.origin.change_to(Origin(_of_weights(context), _of_constants(context)))
    if changed is not None:
        raise KprobError(
            explain(
                f"The draws of {context.networks.model_name} are of another density than the model has now.",
                received=f"{draws.num_chains * draws.num_draws} draws, and {changed} that have changed since",
                expected="draws of the model as it is",
                fix="call model.fit(data) again, which starts anew, or bring the former values back",
            )
        )


def _of_weights(context: Context) -> str:
    reads = context.reads
    if reads is None:  # the draws come from a file, and nothing has been fitted since
        reads = context.reads = _find_reads(context)
    return of_arrays(("", keras.ops.convert_to_numpy(variable)) for variable in reads)


def _find_reads(context: Context) -> tuple[keras.Variable, ...]:
    networks = context.networks
    batch = batch_of(example_data(networks))
    with VariableReads() as reads, AnyPast():
        networks.run_generative(batch, random.seed(0))
    return _weights_among(context, reads)


def _weights_among(context: Context, reads: VariableReads) -> tuple[keras.Variable, ...]:
    # Random number generators move on, and change no density.
    seeds = {id(variable) for variable in saving.variables_of(context.model)[1].values()}
    return tuple(variable for key, variable in reads.variables.items() if key not in seeds)


def _of_constants(context: Context) -> dict[str, str]:
    if context.constants is None:
        values = dict(getattr(context.model, "_arguments").values)  # noqa: B009  (which is no attribute of Keras's models)
        nested = values.pop("arguments", None)  # of a model that is a function
        values |= nested if isinstance(nested, Mapping) else {"arguments": nested}
        constants = {name: _plain(value) for name, value in values.items() if name != "name"}
        for name, how in context.networks.reparam.items():
            constants[f"reparam of {name}"] = keras.saving.serialize_keras_object(how)
        context.constants = {n: _digest(value) for n, value in constants.items() if value is not None}
    return context.constants


def _digest(value: Any) -> str:
    return f"{zlib.crc32(json.dumps(value, sort_keys=True, default=str).encode()):08x}"


def _plain(value: Any) -> Any:
    # Numbers, words and arrays, and what is made of them; layers and functions have no value that could be compared.
    if isinstance(value, bool | np.bool_ | str):
        return str(value)
    if isinstance(value, int | float | np.number):
        return float(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray) or keras.ops.is_tensor(value):
        return of_arrays([("", keras.ops.convert_to_numpy(value))])
    return None
