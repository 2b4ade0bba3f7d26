"""Registration of classes for saving, and kprob's archive. May import: errors."""

from kprob.namespaces import listing
from kprob.saving.archive import HDF5, load_model, save_archive, save_keras, save_weights, verify, weights_of
from kprob.saving.arguments import Arguments, config_of, decode, encode, model_from_config, record_arguments
from kprob.saving.hooks import (
    OwnVariables,
    check_target,
    compile_config,
    freeze_layers,
    frozen_layers,
    load_model_weights,
    read_history,
    read_own,
    save_model,
    save_model_weights,
    write_history,
    write_own,
)
from kprob.saving.paths import layers_of, variables_of
from kprob.saving.record import check_layout, check_values, make_record, read_record, restore_seeds
from kprob.saving.register import register

__all__ = [
    "OwnVariables",
    "load_model_weights",
    "check_target",
    "compile_config",
    "freeze_layers",
    "frozen_layers",
    "read_history",
    "read_own",
    "save_model",
    "save_model_weights",
    "write_history",
    "write_own",
    "Arguments",
    "HDF5",
    "check_layout",
    "check_values",
    "config_of",
    "decode",
    "encode",
    "layers_of",
    "load_model",
    "make_record",
    "model_from_config",
    "read_record",
    "record_arguments",
    "register",
    "restore_seeds",
    "save_archive",
    "save_keras",
    "save_weights",
    "variables_of",
    "verify",
    "weights_of",
]
__dir__ = listing(__all__)
