"""Registration of classes for saving, and kprob's archive. May import: errors, namespaces."""

from kprob.namespaces import listing
from kprob.saving.archive import HDF5, save_archive, save_keras, save_weights, verify
from kprob.saving.arguments import Arguments, config_of, model_from_config, record_arguments
from kprob.saving.encoding import decode, encode
from kprob.saving.hooks import (
    check_target,
    compile_config,
    freeze_layers,
    frozen_layers,
    load_history,
    load_model_weights,
    save_history,
    save_model,
    save_model_weights,
)
from kprob.saving.loading import load_model, weights_of
from kprob.saving.own_variables import OwnVariables, collect_records, read_own_variables, write_own_variables
from kprob.saving.paths import layers_of, variables_of
from kprob.saving.record import Record, check_values, make_record
from kprob.saving.register import register, register_as

__all__ = [
    "check_target",
    "compile_config",
    "freeze_layers",
    "frozen_layers",
    "load_history",
    "load_model_weights",
    "save_history",
    "save_model",
    "save_model_weights",
    "Arguments",
    "HDF5",
    "OwnVariables",
    "Record",
    "check_values",
    "collect_records",
    "config_of",
    "decode",
    "encode",
    "layers_of",
    "load_model",
    "make_record",
    "model_from_config",
    "read_own_variables",
    "record_arguments",
    "register",
    "register_as",
    "save_archive",
    "save_keras",
    "save_weights",
    "variables_of",
    "verify",
    "weights_of",
    "write_own_variables",
]
__dir__ = listing(__all__)
